package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"sync/atomic"

	"rekindle/internal/archive"
	"rekindle/internal/logical"
	"rekindle/internal/rdb"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// incoming is a file that is to become a shard of a snapshot.
type incoming struct {
	name string
	body io.ReadCloser
}

// Importer makes snapshots from RDB files.
type Importer struct {
	kit
	mover  *Mover
	trials *trials
	opener *opener
}

// Import is the body of an import of objects from a store.
func (im *Importer) Import(ctx context.Context, run models.Run, args models.ImportArgs, report *queue.Report) error {
	if args.Upload {
		return reason.Because(nil, "The upload was cut off. Upload it again.")
	}
	total := int64(0)
	sizes := make([]int64, len(args.Sources))
	report.Stage("Looking for the files", nil)
	for i, source := range args.Sources {
		var err error
		if sizes[i], err = im.opener.objectSize(ctx, source); err != nil {
			return err
		}
		total += sizes[i]
	}
	number := 0
	return im.receive(ctx, run, report, coming{total, sizes}, func() (incoming, error) {
		if number == len(args.Sources) {
			return incoming{}, io.EOF
		}
		number++
		return im.opener.incoming(ctx, args.Sources[number-1])
	})
}

// coming is how many bytes will come, roughly, and in which files, if that is known.
type coming struct {
	total int64
	sizes []int64
}

// Receive imports files that do not come from a store: next returns one after the other and ends with io.EOF. size is roughly how many bytes will
// come.
func (im *Importer) Receive(ctx context.Context, run models.Run, report *queue.Report, size int64, next func() (name string, body io.ReadCloser, err error)) error {
	return im.receive(ctx, run, report, coming{total: size}, func() (incoming, error) {
		name, body, err := next()
		return incoming{name: printable(name), body: body}, err
	})
}

// receive turns files into the parts of a snapshot, in their order, and commits it when all of them are whole. Nothing that a file says is believed:
// its structure, end and checksum are checked while it streams into the store, and what was stored is read back.
func (im *Importer) receive(ctx context.Context, run models.Run, report *queue.Report, all coming, next func() (incoming, error)) error {
	row, err := im.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	at, complete, err := im.mover.clearPlace(ctx, run, row)
	if err != nil || complete {
		return err
	}
	found, into := gathered{}, im.gathering(ctx)
	var raw atomic.Int64
	for number := 1; ; number++ {
		file, err := next()
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		part, seen, err := im.receivePart(ctx, at, number, file, receiving{&raw, all, into}, report)
		if err != nil {
			return importReason(ctx, file.name, seen, err)
		}
		if err := found.add(file.name, part, seen); err != nil {
			return err
		}
		warning, err := im.trials.tryOut(ctx, run, row, part, fileText(file.name), found.engine, report)
		if err != nil {
			return err
		}
		found.warn(warning)
		if number == models.MaxImportShards+1 {
			return reason.Because(nil, "There are more than %d files; a cluster cannot have more shards than that.", models.MaxImportShards)
		}
	}
	if len(found.parts) == 0 {
		return reason.Because(nil, "No file was sent. Choose an RDB file.")
	}
	manifest := found.manifest(row, at)
	im.describe(ctx, manifest, into)
	return im.mover.commit(ctx, run, manifest, found.warning)
}

// receiving is what all files of an import share.
type receiving struct {
	raw  *atomic.Int64 // bytes that have come
	all  coming
	into *archive.Gathering
}

func (im *Importer) receivePart(ctx context.Context, at archive.Attempt, number int, file incoming, shared receiving, report *queue.Report) (archive.Part, archive.Imported, error) {
	raw, all := shared.raw, shared.all
	body := &counted{ReadCloser: file.body, n: raw}
	defer body.Close()
	var progress, check archive.Progress
	steps, before, size := queue.Part(report, number-1, len(all.sizes)), int64(0), all.total
	if number <= len(all.sizes) {
		before, size = raw.Load(), all.sizes[number-1]
	}
	steps.Step(1, 2, "Receiving "+path.Base(file.name), func() models.Progress {
		come := raw.Load() - before
		return models.Progress{BytesDone: come, BytesTotal: max(size, come), KeysDone: progress.Keys()}
	})
	part, found, err := im.archive.ImportPart(ctx, at, number, body, &progress, archive.Into(shared.into))
	if err != nil {
		return part, found, err
	}
	steps.Step(2, 2, "Reading back what was stored", func() models.Progress {
		return models.Progress{BytesDone: check.Stored(), BytesTotal: part.StoredBytes, KeysDone: max(part.Keys, 0), KeysTotal: max(part.Keys, 0)}
	})
	return part, found, im.archive.ReadBack(ctx, at.Ref, part, &check)
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// gathered is what the files of an import have turned out to be.
type gathered struct {
	parts   []archive.Part
	engine  string
	version string
	logical bool // a file was read key by key
	said    bool // a file names the engine; otherwise its RDB version only suggests it
	names   []string
	notes   []string
	warning string // the first one
}

func (g *gathered) warn(text string) {
	if g.warning == "" {
		g.warning = text
	}
}

// versionText is what a version may look like: the field comes from a file that anybody may have written.
var versionText = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){0,3}$`)

func (g *gathered) add(name string, part archive.Part, found archive.Imported) error {
	for _, other := range g.parts {
		if other.Digest() == part.Digest() && part.Keys != 0 {
			return reason.Because(nil, "The files %.200s and %.200s are the same. Each shard needs its own file.", name, g.names[other.Number-1])
		}
	}
	if part.Databases > models.MaxDatabases {
		return reason.Because(nil, "%s has keys in database %d. A node here has at most %d databases, so it could never be restored.", fileText(name), part.Databases-1, models.MaxDatabases)
	}
	engine, version := "redis", found.Header.Aux["redis-ver"]
	if text := found.Header.Aux["valkey-ver"]; text != "" || part.RDBVersion >= 80 {
		engine, version = "valkey", text
	}
	said := versionText.MatchString(version)
	if !said {
		engine, version = rdb.OldestReader(part.RDBVersion)
	}
	if g.engine == "" {
		g.engine, g.version, g.said = engine, version, said
	}
	if found.Unknown {
		g.notes = append(g.notes, fmt.Sprintf("Part %d holds something that this Rekindle does not know, so its keys were not counted.", part.Number))
	}
	if found.Unchecked {
		g.notes = append(g.notes, fmt.Sprintf("Part %d carries no checksum, so only its structure could be checked.", part.Number))
	}
	// A file may claim any use of memory. An impossible claim is dropped: with it, the snapshot could never be restored.
	if part.UsedMemory > 64<<20+200*part.Bytes {
		part.UsedMemory = 0
	}
	g.logical = g.logical || logical.Made(found.Header)
	g.parts, g.names = append(g.parts, part), append(g.names, path.Base(name))
	return nil
}

func (g *gathered) manifest(row models.Snapshot, at archive.Attempt) archive.Manifest {
	m := archive.Manifest{Snapshot: row.Name, Cluster: row.ClusterName, Attempt: at.ID, Source: archive.Manual, Engine: g.engine, EngineVersion: g.version,
		CreatedAt: row.CreatedAt, Parts: g.parts}
	need := int64(0) // of the largest shard
	for _, p := range g.parts {
		m.RDBVersion = max(m.RDBVersion, p.RDBVersion)
		m.Configuration.UsedMemory += p.UsedMemory
		used := p.UsedMemory
		if used == 0 {
			used = 2 * p.Bytes // an RDB is about half of what its data takes in memory
		}
		need = max(need, used)
	}
	m.Logical = g.logical
	m.Configuration.Engine, m.Configuration.Version = g.engine, g.version
	m.Configuration.NodeType, m.Configuration.Shards = models.SuggestNodeType(need).Name, len(g.parts)
	m.Origin = fmt.Sprintf("Imported from %s. ", list(g.names))
	if g.said {
		m.Origin += "The engine is the one that the file names."
	} else {
		m.Origin += fmt.Sprintf("The file does not name its engine; %s %s is the oldest that can load it.", g.engine, g.version)
	}
	m.Origin += " The node type is a suggestion."
	if len(g.notes) > 0 {
		m.Origin += " " + strings.Join(g.notes[:min(3, len(g.notes))], " ")
	}
	return m
}

// list names a few files and counts the others.
func list(names []string) string {
	shown := make([]string, 0, 3)
	for _, name := range names[:min(3, len(names))] {
		shown = append(shown, fmt.Sprintf("%.80s", printable(name)))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// printable replaces what could play tricks on a page or a terminal in a file's name.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfffd {
			return '_'
		}
		return r
	}, name)
}

// fileText names a file at the beginning of a sentence.
func fileText(name string) string { return fmt.Sprintf("The file %.200s", printable(name)) }

// importReason says in a sentence why a file was refused.
func importReason(ctx context.Context, name string, found archive.Imported, err error) error {
	_, said := reason.Text(err)
	if _, refused := models.AsFaults(err); refused || ctx.Err() != nil || said {
		return err
	}
	file := fileText(name)
	switch {
	case errors.Is(err, rdb.ErrNotRDB):
		return reason.Because(err, "%s is not an RDB file: it does not begin with REDIS or VALKEY and a version.", file)
	case errors.Is(err, archive.ErrModules):
		return reason.Because(err, "%s holds data of the %s %s. The nodes here have no modules, so it could never be restored. Delete those keys, or unload the module, and save it again.",
			file, map[bool]string{true: "module", false: "modules"}[len(found.Modules) == 1], strings.Join(found.Modules, ", "))
	case errors.Is(err, archive.ErrOldFunctions):
		return reason.Because(err, "%s contains functions in the format of the release candidates of Redis 7.0. Only 7.0 itself can load that. Load it there, and save it again.", file)
	case errors.Is(err, rdb.ErrTrailing):
		return reason.Because(err, "%s continues after its end: something was appended, perhaps only a line break, or it is several files in one. Remove that. Nothing of it was kept.", file)
	case errors.Is(err, archive.ErrRefused) && found.Header.Version != 0 && !rdb.Known(found.Header.Version):
		return reason.Because(err, "%s is an RDB of version %d, which this Rekindle does not know. Upgrade Rekindle, or export it with an older engine.", file, found.Header.Version)
	case errors.Is(err, archive.ErrWindow):
		return reason.Because(err, "%s is compressed in a way that needs too much memory: its zstd window is larger than 8 MiB. Compress it again without --long and --ultra, or import it as a plain RDB.", file)
	case errors.Is(err, archive.ErrBomb):
		return reason.Because(err, "%s grows out of all proportion when it is decompressed. It was refused.", file)
	case errors.Is(err, rdb.ErrTruncated):
		return reason.Because(err, "%s ends too early: a part of it is missing. Nothing of it was kept.", file)
	case errors.Is(err, rdb.ErrChecksum):
		return reason.Because(err, "%s is damaged: its checksum does not match its data. Nothing of it was kept.", file)
	case errors.Is(err, rdb.ErrCorrupt), errors.Is(err, archive.ErrRefused):
		return reason.Because(err, "%s is damaged: it is not a valid RDB. Nothing of it was kept.", file)
	}
	return err
}
