package views

import "github.com/a-h/templ"

func sampleShares(labels ...string) (all []Share) {
	of := []int64{61, 24, 9, 4, 2, 0}
	for i, label := range labels {
		all = append(all, Share{Label: label, Keys: of[i] * 41_003, Bytes: of[i] * 13_400_217, Expires: of[i] * 4_100, OfKeys: of[i], OfBytes: of[i]})
	}
	return all
}

func sampleContents() Contents {
	p := Contents{
		Snapshot: "automatic.orders-2026-11-22-03-12", Engine: "Redis 7.0.15", RDB: 10, Written: ago(9 * 3600e9), Keys: 4_100_300, Bytes: 1_340_021_700, Expires: 410_000,
		Libraries: 2, Functions: []string{"totals (LUA)", `bad\u202ename (LUA)`}, Named: true, PrefixOrder: "keys", MorePrefixes: 212, MoreBiggest: 80, Precision: 1024,
		Types: sampleShares("string", "hash", "zset", "list", "stream"), Databases: sampleShares("0", "3"),
		Encodings: sampleShares("string, lzf", "hash, listpack", "zset, skiplist", "list, quicklist"), Expiries: sampleShares("up to 1 hour", "up to 1 day", "more than a year"),
		WithoutPrefix: Share{Keys: 412, Bytes: 90_000}, Unlisted: Over{390, 120_000},
		Biggest: []BigKey{{Name: "report:2026-06", Type: "string", Encoding: "lzf", Bytes: 8_120_044}, {Name: `\xff\x00\u202egnp.exe<script>alert(1)</script>`, Type: "hash", Encoding: "listpack", Bytes: 40_120, Database: 3},
			{Name: "cart:00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", Cut: 1200, Type: "string", Encoding: "raw", Bytes: 1300}, {Type: "stream", Encoding: "stream", Bytes: 800}},
		Loaders: []Loader{{Engine: "Redis", Loads: "7.0 and later", Takes: "6.2 and later"}, {Engine: "Valkey", Loads: "7.2 and later"}},
	}
	for i, share := range sampleShares("cart:", "cart:item:", "session-", `\u202eevil:`, "user:") {
		p.Prefixes = append(p.Prefixes, PrefixRow{Share: share, Over: []Over{{390, 120_000}, {}}[i%2]})
	}
	return p
}

func sampleComparison() Comparison {
	rows := []GrowthRow{
		{Label: "string", KeysBefore: 2_000_000, KeysAfter: 2_400_100, BytesBefore: 800_000_000, BytesAfter: 910_000_000, Certain: true},
		{Label: "hash", KeysBefore: 90_000, KeysAfter: 81_000, BytesBefore: 70_000_000, BytesAfter: 64_000_000, Certain: true},
	}
	prefixes := []GrowthRow{
		{Label: "cart:", KeysBefore: 1_000_000, KeysAfter: 1_400_100, BytesBefore: 400_000_000, BytesAfter: 520_000_000, KeysOver: 390, BytesOver: 120_000, Certain: true},
		{Label: `\u202eevil:`, KeysAfter: 40, BytesAfter: 9000, KeysOver: 12, BytesOver: 900},
	}
	return Comparison{Snapshot: "automatic.orders-2026-11-22-03-12", Before: "automatic.orders-2026-11-21-03-14", After: "automatic.orders-2026-11-22-03-12", BeforeAt: ago(33 * 3600e9), AfterAt: ago(9 * 3600e9),
		Form: Fields{Values: map[string]string{"with": "automatic.orders-2026-11-21-03-14"}}, Others: []Option{{Value: "automatic.orders-2026-11-21-03-14"}}, Keys: rows[0], Types: rows, Named: true, Prefixes: prefixes[:1], New: prefixes[1:], MorePrefixes: 3}
}

// contentsSamples are the pages about what is in snapshots.
func contentsSamples() []samplePage {
	snapshot := Crumb{Text: "automatic.orders-2026-11-22-03-12", Href: "/snapshots/automatic.orders-2026-11-22-03-12"}
	shell := func(title string) Shell {
		return commanded(sampleShell(NavSnapshots, title, Crumb{Text: "Snapshots", Href: "/snapshots"}, snapshot, Crumb{Text: title}), "elasticache describe-snapshots")
	}
	unknown, hidden, wrong := Contents{Snapshot: "s1", Unknown: "It has not been written down yet. The next verification reads the snapshot and does that.", CanVerify: true, Loaders: sampleContents().Loaders}, sampleContents(), Comparison{Snapshot: "s1"}
	hidden.Named, hidden.Prefixes, hidden.Biggest = false, nil, []BigKey{{Type: "string", Encoding: "raw", Bytes: 1300}}
	wrong.Form = Fields{Values: map[string]string{"with": "nothing"}, Errors: map[string]string{"with": "There is no snapshot \"nothing\"."}}
	pages := map[string]templ.Component{
		"contents": ContentsPage(shell("Contents"), sampleContents()), "contents-unknown": ContentsPage(shell("Contents"), unknown), "contents-hidden": ContentsPage(shell("Contents"), hidden),
		"contents-empty": ContentsPage(shell("Contents"), Contents{Snapshot: "s1", Named: true, Loaders: sampleContents().Loaders}),
		"compare":        ComparisonPage(shell("Compare"), sampleComparison()), "compare-choose": ComparisonPage(shell("Compare"), Comparison{Snapshot: "s1"}), "compare-wrong": ComparisonPage(shell("Compare"), wrong),
	}
	var all []samplePage
	for name, page := range pages {
		all = append(all, samplePage{name, page})
	}
	return all
}
