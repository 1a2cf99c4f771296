"""The daemon: reads the plant, decides, sounds the siren, keeps the journal, tells the centre."""
