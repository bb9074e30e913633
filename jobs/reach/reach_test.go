package reach

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"rekindle/internal/resp"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// It changes what the whole process may connect to, so it is the only test here.
func TestOnlyAllowedAddressesAreConnectedTo(t *testing.T) {
	node := testkit.Redis(t)
	t.Cleanup(func() { Allow(nil) })
	named := net.JoinHostPort("localhost", strconv.Itoa(node.Port))
	attached, err := Node(models.Cluster{Attachment: &models.Attachment{}}, models.Node{Host: "127.0.0.1", Port: node.Port})
	if err != nil {
		t.Fatal(err)
	}
	read, err := Source(models.Cluster{Attachment: &models.Attachment{Access: models.Access{ByKey: true}}}, models.Node{Host: "127.0.0.1", Port: node.Port})
	if err != nil {
		t.Fatal(err)
	}
	access, err := Access(models.Access{}, "")
	if err != nil {
		t.Fatal(err)
	}
	access.Node.Addr = named
	launched, err := Node(models.Cluster{}, models.Node{Host: "127.0.0.1", Port: node.Port})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		allowed []netip.Prefix
		denied  bool
	}{
		{nil, false},
		{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}, false},
		{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, true},
	} {
		Allow(c.allowed)
		for way, o := range map[string]resp.Options{"attached": attached, "read": read.Options, "discovered": access.Node, "stranger": Stranger(node.Addr), "stranger's name": Stranger(named)} {
			conn, err := resp.Dial(t.Context(), o)
			if err == nil {
				conn.Close()
			}
			if why, is := errors.AsType[DeniedError](err); is != c.denied || err != nil && !is || is && !strings.Contains(why.Why, "--attach-allow") {
				t.Errorf("%s with %v: %v", way, c.allowed, err)
			}
		}
		conn, err := resp.Dial(t.Context(), launched)
		if err != nil {
			t.Errorf("a node of our own with %v: %v", c.allowed, err)
			continue
		}
		conn.Close()
	}
}
