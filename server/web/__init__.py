"""The pages people see: templates, their texts in each language, and what the browser loads."""
