package keyspec

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"rekindle/internal/testkit"
)

func TestWhatCommandsDoToKeys(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"SET a 1":                             "1 written",
		"set a 1 PXAT 5":                      "1 written",
		"MSET a 1 b 2":                        "1 written, 3 written",
		"MSETEX 2 a 1 b 2 EX 5":               "2 written, 4 written",
		"DEL a b":                             "1 deleted, 2 deleted",
		"RENAME a b":                          "1 renamed to, 2 renamed from",
		"COPY a b DB 3":                       "1 copied to, 2 copied from",
		"MOVE a 3":                            "1 moved",
		"BITOP AND a b c":                     "2 written",
		"SMOVE a b x":                         "1 reduced, 2 changed",
		"LMOVE a b LEFT RIGHT":                "1 reduced, 2 changed",
		"RPOPLPUSH a b":                       "1 reduced, 2 changed",
		"SORT a BY STORE GET STORE STORE b":   "7 written",
		"SORT a STORE b LIMIT 0 STORE ASC":    "3 written",
		"SORT a STORE b STORE c":              "5 written",
		"SORT a STORE store":                  "3 written",
		"SORT a":                              "",
		"GEORADIUS a 1 2 3 km STOREDIST b":    "7 written",
		"GEORADIUSBYMEMBER a m 3 km STORE b":  "6 written",
		"ZUNIONSTORE a 2 b c":                 "1 written",
		"ZDIFFSTORE a 2 b c":                  "1 written",
		"XADD a * f v":                        "1 changed",
		"XGROUP CREATE a g $":                 "2 changed",
		"xgroup setid a g $":                  "2 changed",
		"XGROUP SOMETHING a":                  "2 may change, a guess",
		"XCLAIM a g c 0 1-1":                  "1 changed",
		"XSETID a 1-1":                        "1 changed",
		"XTRIM a MAXLEN 5":                    "1 reduced",
		"PFMERGE a b c":                       "1 changed",
		"RESTORE a 0 x":                       "1 written",
		"EVAL x 2 a b c":                      "3 may change, 4 may change",
		"EVAL x 9 a b c":                      "",
		"FUNCTION LOAD x":                     "",
		"HPEXPIREAT a 5 FIELDS 1 f":           "1 field expiry",
		"PEXPIREAT a 5":                       "1 expiry set",
		"PERSIST a":                           "1 expiry removed",
		"PUBLISH a b":                         "",
		"PING":                                "",
		"SELECT 3":                            "",
		"CLUSTER SYNCSLOTS x":                 "",
		"FLUSHALL":                            "",
		"XDELEX a IDS 1 1-1":                  "1 reduced",
		"JSON.SET a $ 1":                      "1 may change, a guess",
		"JSON.MSET a $ 1 b $ 2":               "1 changed, 4 changed",
		"module.command a b":                  "1 may change, a guess",
		strings.Repeat("LONG", 40) + " a":     "1 may change, a guess",
		"GETDEL a":                            "1 deleted",
		"LPOP a 3":                            "1 reduced",
		"ZMPOP 2 a b MIN":                     "2 reduced, 3 reduced",
		"BLPOP a b 5":                         "1 reduced, 2 reduced",
		"SET":                                 "",
		"LMPOP 99999999999999999999 a b LEFT": "",
	} {
		var got []string
		for _, k := range changed(strings.Fields(line)) {
			text := fmt.Sprint(k.word, " ", effectNames[k.Effect])
			if k.Guess {
				text += ", a guess"
			}
			got = append(got, text)
		}
		if said := strings.Join(got, ", "); said != want {
			t.Errorf("%q: %s, want %s", line, said, want)
		}
	}
}

var effectNames = map[Effect]string{Written: "written", Changed: "changed", Reduced: "reduced", Deleted: "deleted", ExpirySet: "expiry set", ExpiryRemoved: "expiry removed", FieldExpiry: "field expiry",
	RenamedTo: "renamed to", RenamedFrom: "renamed from", MovedTo: "moved", CopiedTo: "copied to", CopiedFrom: "copied from", MayChange: "may change"}

func TestSweeps(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Sweep{"FLUSHALL": FlushesAll, "FLUSHDB": FlushesDatabase, "SWAPDB": Swaps, "TRIMSLOTS": TrimsSlots, "DEL": NoSweep} {
		if got := SweepOf([]byte(name)); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// unusual are commands of which a server says something else than what it does: where options STORE come twice, and where one stands too early to be one.
func unusual(words []string) bool {
	stores, first := 0, 0
	for i, word := range words {
		if strings.EqualFold(word, "STORE") || strings.EqualFold(word, "STOREDIST") {
			if stores++; stores == 1 {
				first = i
			}
		}
	}
	switch words[0] {
	case "SORT":
		return stores > 1
	case "GEORADIUS":
		return stores > 1 || stores == 1 && first < 6
	case "GEORADIUSBYMEMBER":
		return stores > 1 || stores == 1 && first < 5
	}
	return words[0] == "MIGRATE" || words[0] == "PFDEBUG"
}

// A real server is the judge: what it takes for keys that a command changes are the keys.
func FuzzWalkFindsKeys(f *testing.F) {
	names := slices.Sorted(maps.Keys(table()))
	for _, line := range []string{"SORT a BY STORE GET STORE STORE b", "MSET a 1 b 2", "EVAL x 2 a b c", "ZUNIONSTORE a 2 b c", "GEORADIUS a 1 2 3 km STOREDIST b", "XGROUP CREATE a g 0", "BLPOP a b 0", "RENAME a a"} {
		words := strings.Fields(line)
		at, has := slices.BinarySearch(names, words[0])
		if !has {
			f.Fatal(line)
		}
		f.Add(uint16(at), strings.Join(words[1:], " "))
	}
	client := testkit.Redis(f).Client()
	f.Fuzz(func(t *testing.T, which uint16, rest string) {
		words := append([]string{names[int(which)%len(names)]}, strings.Fields(rest)...)
		words = append(strings.Fields(words[0]), words[1:]...)
		if len(words) > 100 || unusual(words) {
			t.Skip("the server says something else of these than what it does")
		}
		ours := make(map[string]bool)
		for _, k := range changed(words) {
			if k.word < 1 || k.word >= int64(len(words)) {
				t.Fatalf("%q has a key at %d", words, k.word)
			}
			ours[words[k.word]] = true
		}
		args := []any{"COMMAND", "GETKEYSANDFLAGS"}
		for _, word := range words {
			args = append(args, word)
		}
		answer, err := client.Do(context.Background(), args...).Slice()
		if err != nil {
			t.Skip("the server refuses it, too")
		}
		all, writes := make(map[string]bool), make(map[string]bool)
		for _, one := range answer {
			name := one.([]any)[0].(string)
			all[name] = true
			if flags := flagsText(one.([]any)[1]); flags != "ro" && !slices.Contains(texts(one.([]any)[1]), "not_key") {
				writes[name] = true
			}
		}
		for name := range writes {
			if !ours[name] && len(table()[names[int(which)%len(names)]].specs) > 0 {
				t.Errorf("%q changes %q, the walk found %v", words, name, ours)
			}
		}
		for name := range ours {
			if !all[name] {
				t.Errorf("%q has no key %q; its keys are %v", words, name, all)
			}
		}
	})
}
