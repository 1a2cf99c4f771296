"""A Sparkplug B 3.0 edge node: live values to a host at QoS 0, beside the uplink, which alone keeps events."""
