package restore_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/find"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/testkit"
)

// BenchmarkBring brings 10,000 keys of a million back into a node, which has none of them and then all, many under way at once and one at a time, in turn. Both
// read the RDB once, and report the medians in seconds.
func BenchmarkBring(b *testing.B) {
	const keys, every, rounds = 1_000_000, 100, 5
	source, target := testkit.Redis(b, "--rdbcompression", "no"), testkit.Redis(b)
	for from := 0; from < keys; from += 1000 {
		pipe := source.Client().Pipeline()
		for i := from; i < from+1000; i++ {
			pipe.Set(b.Context(), "key:"+strconv.Itoa(i), strings.Repeat("value ", 16)+strconv.Itoa(i), 0)
		}
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	data := saved(b, source)
	choice := restore.Choice{Database: -1, Matches: find.Pattern("key:*99").Matches}
	figures := map[string][]float64{}
	measure := func(name string, what func() error) {
		began := time.Now()
		if err := what(); err != nil {
			b.Fatal(err)
		}
		figures[name] = append(figures[name], time.Since(began).Seconds())
		if n := target.Client().DBSize(b.Context()).Val(); n != keys/every {
			b.Fatalf("%d keys came back", n)
		}
	}
	for b.Loop() {
		for range rounds {
			for _, replace := range []bool{false, true} {
				together := func() error {
					w := restore.OpenBringer(b.Context(), []resp.Options{options(target)}, restore.BringOptions{Choice: choice, Replace: replace})
					defer w.Close()
					_, err := w.Write(bytes.NewReader(data))
					return err
				}
				alone := func() error { return oneByOne(b, target, choice, replace, data) }
				kind := map[bool]string{false: "new", true: "replaced"}[replace]
				for name, how := range map[string]func() error{"together": together, "one-by-one": alone} {
					if !replace {
						if err := target.Client().FlushAll(b.Context()).Err(); err != nil {
							b.Fatal(err)
						}
					}
					measure("s/"+kind+"-"+name, how)
				}
			}
			measure("s/reading", func() error {
				_, err := rdb.Visit(bytes.NewReader(data), single(func(key rdb.Key, _ rdb.Value) error { choice.Matches(key.Name); return nil }))
				return err
			})
		}
	}
	for name, all := range figures {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
	}
}

// oneByOne is how keys came back before: each is answered before the next one is sent, and one that is to be replaced is sent again.
func oneByOne(b *testing.B, target *testkit.Server, choice restore.Choice, replace bool, data []byte) error {
	conn, err := resp.Dial(b.Context(), options(target))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = rdb.Visit(bytes.NewReader(data), single(func(key rdb.Key, value rdb.Value) error {
		if !choice.Matches(key.Name) {
			return nil
		}
		dump := bytes.NewBuffer([]byte{value.Type()})
		if _, err := value.WriteTo(dump); err != nil {
			return err
		}
		text := rdb.AppendDumpFooter(dump.Bytes(), rdb.UpdateCRC(0, dump.Bytes()))
		command := []string{"RESTORE", string(key.Name), strconv.Itoa(0), string(text)}
		_, err := conn.Do(b.Context(), command...)
		if err != nil && replace {
			_, err = conn.Do(b.Context(), append(command, "REPLACE")...)
		}
		return err
	}))
	if err != nil {
		return fmt.Errorf("one by one: %w", err)
	}
	return nil
}

// single is told about keys.
type single func(rdb.Key, rdb.Value) error

func (single) Library([]byte) error { return nil }

func (s single) Key(key rdb.Key, value rdb.Value) error { return s(key, value) }
