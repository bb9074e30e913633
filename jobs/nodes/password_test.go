package nodes

import (
	"fmt"
	"strings"
	"testing"

	"rekindle/internal/secret"
)

func TestEachStepOfAChangedPasswordKeepsReplicasSignedIn(t *testing.T) {
	t.Parallel()
	for what, one := range map[string]struct {
		former, password, old secret.Text
	}{"set": {"a", "b", ""}, "rotated": {"a", "b", "a"}, "the newer of two alone": {"b", "b", ""}, "the older of two alone": {"b", "a", ""}, "the first": {"", "b", ""}, "taken away": {"a", "", ""}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			steps := passwordSteps(one.former, one.password, one.old)
			before := newTaker(one.former)
			// While a step goes round, nodes are apart by one step at most.
			for i := range len(steps) + 1 {
				for _, j := range []int{i - 1, i, i + 1} {
					if j < 0 || j > len(steps) {
						continue
					}
					replica, primary := before, before
					for _, step := range steps[:i] {
						replica = replica.told(t, step)
					}
					for _, step := range steps[:j] {
						primary = primary.told(t, step)
					}
					if !primary.takes(replica) {
						t.Errorf("a replica after %d steps (%v) is refused by a primary after %d (%v)", i, replica, j, primary)
					}
				}
			}
			last := before
			for _, step := range steps {
				last = last.told(t, step)
			}
			want := map[string]bool{}
			for _, password := range []secret.Text{one.password, one.old} {
				if password != "" {
					want[password.Reveal()] = true
				}
			}
			if fmt.Sprint(last.passwords) != fmt.Sprint(want) || last.masterauth != one.password.Reveal() {
				t.Errorf("in the end it takes %v and signs in with %q", last.passwords, last.masterauth)
			}
		})
	}
}

// taker is a node as far as passwords are concerned.
type taker struct {
	passwords        map[string]bool // none: it takes anybody
	user, masterauth string
}

func newTaker(password secret.Text) taker {
	n := taker{passwords: map[string]bool{}, masterauth: password.Reveal()}
	if password != "" {
		n.passwords[password.Reveal()] = true
		if password == "b" {
			n.passwords["a"] = true
		}
	}
	return n
}

func (n taker) told(t *testing.T, step commands) taker {
	t.Helper()
	now := taker{passwords: map[string]bool{}, user: n.user, masterauth: n.masterauth}
	for p := range n.passwords {
		now.passwords[p] = true
	}
	for _, command := range step {
		switch strings.Join(command[:3], " ") {
		case "CONFIG SET masteruser":
			now.user = command[3]
		case "CONFIG SET masterauth":
			now.masterauth = command[3]
		case "CONFIG SET protected-mode":
		case "ACL SETUSER default":
			for _, word := range command[3:] {
				if added, is := strings.CutPrefix(word, ">"); is {
					now.passwords[added] = true
				} else if word == "resetpass" || word == "nopass" {
					now.passwords = map[string]bool{}
				} else {
					t.Fatalf("what is %q", word)
				}
			}
		default:
			t.Fatalf("what is %q", command)
		}
	}
	return now
}

// takes tells whether a primary takes a replica.
func (n taker) takes(replica taker) bool {
	if len(n.passwords) == 0 {
		return replica.masterauth == "" || replica.user != ""
	}
	return n.passwords[replica.masterauth]
}
