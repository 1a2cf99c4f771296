"""The rule language, its conditions and the alarm state machine; and the rule library."""
