"""What people and things do in a zone, each behaviour one small object that gives facts."""
