package main

import "testing"

// A port that outgoing connections are given could be taken by one of them while its process is started again.
func TestPortsAreNotThoseOfOutgoingConnections(t *testing.T) {
	t.Parallel()
	first, last := ephemeral()
	if first > last || first < 1 {
		t.Fatalf("outgoing connections have the ports from %d to %d", first, last)
	}
	if first-lowestPort < portTries && highestPort-last < portTries {
		t.Logf("outgoing connections have nearly all ports, %d to %d: there is no choice", first, last)
		return
	}
	for range 20 {
		ports, err := new(cluster).ports(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for _, p := range ports {
			if seen[p] || p >= first && p <= last {
				t.Fatalf("the ports are %v, and those of outgoing connections are %d to %d", ports, first, last)
			}
			seen[p] = true
		}
		if len(ports) != len(targets)+2*nodes {
			t.Errorf("there are %d ports", len(ports))
		}
	}
}
