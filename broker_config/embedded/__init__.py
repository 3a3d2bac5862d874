"""The broker inside the process tree, for machines without Mosquitto: amqtt 0.12.1 with its gaps closed."""
