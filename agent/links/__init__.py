"""What every connection to somebody above has in common: addresses, certificates, MQTT, and what arrives."""
