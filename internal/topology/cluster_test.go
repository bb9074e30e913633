package topology

import (
	"slices"
	"testing"

	"rekindle/internal/resp"
)

func TestClusterNodesIsRead(t *testing.T) {
	t.Parallel()
	const text = `07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:30004@31004,host4.example,shard-id=69bc0 slave e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 0 1426238317239 4 connected
67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922
e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca :30001@31001 myself,master - 0 0 1 connected 0-10 12 14-5460 [93->-67ed2db8] [77-<-67ed2db8]
6ec23923021cf3ffec47632106199cb7f496ce01 :0@0 master,noaddr - 1426238317239 1426238317239 5 disconnected
824fe116063bc5fcf9f4ffd895bc17aee7731ac3 [fd00::3]:30006@31006 master,handshake - 0 1426238317741 6 connected 1
292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f fd00::4:30003@31003 master,fail - 1426238317741 1426238317741 3 connected 10923-16383
`
	members, err := parseNodes(text, "10.0.0.9")
	if err != nil || len(members) != 4 {
		t.Fatalf("%d members: %v", len(members), err)
	}
	for i, want := range []member{
		{id: "07c37dfeb235213a872192d90877d0cd55635b91", announced: "127.0.0.1:30004", primary: "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca", replica: true},
		{id: "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1", announced: "127.0.0.1:30002", primary: "-", slots: []string{"5461-10922"}, first: 5461},
		{id: "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca", announced: "10.0.0.9:30001", primary: "-", slots: []string{"0-10", "12", "14-5460"}},
		{id: "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f", announced: "[fd00::4]:30003", primary: "-", slots: []string{"10923-16383"}, first: 10923},
	} {
		got := members[i]
		if got.id != want.id || got.announced != want.announced || got.primary != want.primary || got.replica != want.replica || got.first != want.first || !slices.Equal(got.slots, want.slots) {
			t.Errorf("line %d is %+v, want %+v", i, got, want)
		}
	}
	if got := openMarks(text); !slices.Equal(got, []string{"93", "77"}) {
		t.Errorf("open marks %q", got)
	}
	for _, bad := range []string{"no line of nodes", "id host flags master 0 0 0 connected", "id h:1@2 master - 0 0 0 connected x-y"} {
		if members, err := parseNodes(bad, "h"); err == nil {
			t.Errorf("%q is %+v", bad, members)
		}
	}
}

func FuzzClusterNodes(f *testing.F) {
	f.Add("e7d1eecc :30001@31001 myself,master - 0 0 1 connected 0-10 12 [93->-67ed2db8]\n", "10.0.0.9")
	f.Add("a b:1@2,c slave d 0 0 0 connected\nx [::1]:7@8 master - 0 0 0 connected 0-16383\n", "::1")
	f.Fuzz(func(t *testing.T, text, host string) {
		members, err := parseNodes(text, host)
		if err == nil {
			for _, m := range members {
				if m.announced == "" {
					t.Errorf("a member without an address in %q", text)
				}
			}
		}
		openMarks(text)
	})
}

// Valkey 9 and Redis 8.4 list moves, where others leave marks: https://valkey.io/commands/cluster-getslotmigrations/.
func TestMigrationsThatLeaveNoMarkAreListed(t *testing.T) {
	t.Parallel()
	migration := func(state, slots string) resp.Value {
		text := func(s string) resp.Value { return resp.Value{Kind: resp.KindBulk, Str: s} }
		return resp.Value{Kind: resp.KindArray, Array: []resp.Value{text("name"), text("job"), text("operation"), text("IMPORT"), text("slot_ranges"), text(slots), text("state"), text(state)}}
	}
	list := resp.Value{Kind: resp.KindArray, Array: []resp.Value{migration("success", "0-9"), migration("snapshotting", "10-19"), migration("failed", "20-29"), migration("cancelled", "30-39"), migration("paused", "40-49")}}
	if got := openMigrations(list); !slices.Equal(got, []string{"10-19", "40-49"}) {
		t.Errorf("on their way are %q", got)
	}
}

func TestTheModeIsKnownByEitherName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"redis_version:7.0.15\r\nredis_mode:cluster\r\n":                                                       "cluster",
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nserver_mode:cluster\r\n":         "cluster",
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nserver_mode:standalone\r\n":      "standalone",
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nserver_mode:sentinel\r\nother:1": "sentinel",
	} {
		if got := modeOf(resp.ParseInfo(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
