package safedial

import (
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for _, a := range []string{"1.1.1.1", "93.184.216.34", "2606:4700::1111", "172.32.0.1", "100.128.0.1",
		"::ffff:1.1.1.1"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{"0.0.0.0", "127.255.255.255", "::", "::1", "2001::1", "3fff::1", "4000::1", "fec0::1",
		"64:ff9b:1::1", "240.0.0.1", "192.88.99.1"} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not", a)
		}
	}
}
