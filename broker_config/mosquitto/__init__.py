"""Mosquitto as a child process: its files, generated at each start, and its life."""
