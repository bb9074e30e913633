package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/slots"
	"rekindle/internal/words"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// This part of a rebuild brings clusters and settings back: from their nodes' directories, from the records in the store, and from the configuration
// in manifests.

// read reads the console's record and takes over its settings, and reads the records of the clusters that the catalog does not know. It tells whether
// this store keeps records: if it does, a cluster without one was deleted on purpose.
func (r *rebuilding) read(ctx context.Context) (recorded bool, err error) {
	names, err := r.archive.Clusters(ctx)
	if err != nil {
		return false, r.health.away(err)
	}
	for _, name := range names {
		if _, err := r.DB.Clusters.Get(ctx, name); err == nil {
			continue
		} else if !models.HasCode(err, models.CodeClusterNotFound) {
			return false, err
		}
		record, err := r.archive.Cluster(ctx, name)
		switch {
		case err == nil:
			r.records[name] = record
		case errors.Is(err, archive.ErrMissing): // deleted meanwhile
		case errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
			r.warn(ctx, models.Event{ClusterName: name, Message: fmt.Sprintf("The record of the cluster %s in the store cannot be read: it is damaged, "+
				"or was written by a newer Rekindle. It was left alone.", name)}, err)
		default:
			return false, r.health.away(err)
		}
	}
	return r.console(ctx)
}

// console takes over what the console's record has, and tells whether there is one.
func (r *rebuilding) console(ctx context.Context) (recorded bool, err error) {
	console, err := r.archive.Console(ctx)
	switch {
	case errors.Is(err, archive.ErrMissing):
		return false, nil
	case errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
		r.warn(ctx, models.Event{Message: "The record of the console in the store cannot be read: it is damaged, or was written by a newer Rekindle. " +
			"Settings and notification channels stay as they are."}, err)
		return true, nil
	case err != nil:
		return false, r.health.away(err)
	}
	r.done.Settings, err = r.DB.Settings.Adopt(ctx, console.Settings)
	if _, refused := models.AsFaults(err); refused {
		text, _ := r.Sentence(err)
		r.warn(ctx, models.Event{Message: "The settings that the store has cannot be used: " + text + " They stay as they are."}, err)
	} else if err != nil {
		return true, err
	}
	channels, refused, err := r.DB.Channels.Adopt(ctx, recordedChannels(console.Channels))
	if err != nil {
		return true, err
	}
	for _, why := range refused {
		r.warn(ctx, models.Event{Message: "A notification channel that the store has cannot be used, so it was not brought back. " + why}, nil)
	}
	for _, c := range channels {
		if r.done.Channels = append(r.done.Channels, c.Name); len(c.Lacks()) > 0 {
			r.done.Mute = append(r.done.Mute, c.Name)
		}
	}
	if !r.done.Settings && len(channels) == 0 {
		return true, nil
	}
	return true, r.DB.Records.EndKeep(ctx, archive.ConsoleRecordKey, console.Sum())
}

// configuration returns what a cluster should be like as far as the store knows: from its record, or else from its newest snapshot. from says which.
func (r *rebuilding) configuration(name string) (c archive.Configuration, from string, known bool) {
	if record, found := r.records[name]; found {
		return record.Configuration, "what the store has about it", true
	}
	if newest, found := r.newest[name]; found {
		return newest.Configuration, "the snapshot " + newest.Snapshot, true
	}
	return c, "", false
}

// wanted is a cluster with the configuration that the store has for it. Values that cannot be right are left out.
func (r *rebuilding) wanted(ctx context.Context, name string, c archive.Configuration) models.Cluster {
	configuration, damage := readConfiguration(c)
	if damage != nil {
		r.warn(ctx, models.Event{ClusterName: name, Message: fmt.Sprintf("Part of what the store has about the cluster %s is not valid, such as an impossible window. "+
			"That was left out: look at its schedule.", name)}, damage)
	}
	if configuration.RetentionLimit = min(configuration.RetentionLimit, models.MaxRetention); !configuration.ClusterMode {
		configuration.ShardCount = 1
	}
	return models.Cluster{Name: name, Kind: models.KindLaunched, Configuration: configuration, WindowChosen: !configuration.SnapshotWindow.IsZero() && (c.WindowChosen == nil || *c.WindowChosen),
		DrillPlan: r.drills(ctx, name), JournalPlan: r.journal(ctx, name, configuration)}
}

// journal is how the journal of a cluster was kept, as its record has it; nil if that says nothing, or nothing valid. What is stored of it is found when
// it goes on.
func (r *rebuilding) journal(ctx context.Context, name string, c models.Configuration) *models.JournalPlan {
	was := r.records[name].Journal
	if was == nil {
		return nil
	}
	plan := models.JournalPlan{Kept: true, Days: was.Days, Promise: time.Duration(was.Seconds) * time.Second, Lone: was.Lone, Synthetic: was.Synthetic, Since: r.DB.Now()}
	if err := plan.Check(models.Cluster{Name: name, Configuration: c}); err != nil {
		r.warn(ctx, models.Event{ClusterName: name, Message: fmt.Sprintf("How the journal of the cluster %s was kept is not valid in its record, so none is kept. %s", name, err)}, nil)
		return nil
	}
	return &plan
}

// drills is when the drills of a cluster were held, as its record has it; nil if that says nothing, or nothing valid.
func (r *rebuilding) drills(ctx context.Context, name string) *models.DrillPlan {
	was := r.records[name].Drills
	if was == nil {
		return nil
	}
	plan, err := models.ParseDrillPlan(was.Every, was.Window, was.Day)
	if err != nil {
		r.warn(ctx, models.Event{ClusterName: name, Message: fmt.Sprintf("When restore drills of the cluster %s were held is not valid in its record, so none are held. %s", name, err)}, nil)
		return nil
	} else if plan.Every == models.Never {
		return nil
	}
	return &plan
}

// lost brings back, without nodes, the clusters that only the store knows. In a store that keeps no records yet, automatic snapshots show that a
// cluster was not deleted: they would have gone with it.
func (r *rebuilding) lost(ctx context.Context, nodes map[string][]string, recorded bool) error {
	names := slices.Collect(maps.Keys(r.records))
	for name := range r.living {
		if _, found := r.records[name]; !found && !recorded {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if len(nodes[name]) > 0 {
			continue // brought back with them, or a warning said why not
		}
		c, _, _ := r.configuration(name)
		cluster := r.wanted(ctx, name, c)
		checked, problem := models.CheckName("cluster id", name)
		if record := r.records[name]; record.Attached != nil && problem == "" && checked == name {
			if err := r.attach(ctx, cluster, record); err != nil {
				return err
			}
			continue
		}
		if _, found := models.FindNodeType(c.NodeType); !found || problem != "" || checked != name || c.Engine == "" || c.Version == "" || c.Replicas > models.MaxReplicas {
			r.warn(ctx, models.Event{ClusterName: name, Message: fmt.Sprintf("What the store has about the cluster %s is not valid here, so it was not brought back.", name)}, nil)
			continue
		}
		record, recorded := r.records[name]
		sum := ""
		if recorded {
			cluster.CreatedAt, sum = record.CreatedAt, record.Sum()
		} else {
			cluster.CreatedAt = r.newest[name].CreatedAt
		}
		cluster.StatusReason = r.lostSentence(cluster, c)
		adopted, err := r.DB.Rebuild.AdoptLostCluster(ctx, cluster, r.since, archive.ClusterRecordKey(name), sum)
		if err != nil {
			return err
		}
		if adopted {
			r.done.Lost = append(r.done.Lost, name)
		}
	}
	return nil
}

// attach brings back an attached cluster. Its nodes are found again right away if they want no password; the secrets were in the catalog and are
// lost.
func (r *rebuilding) attach(ctx context.Context, cluster models.Cluster, record archive.ClusterRecord) error {
	access := accessOf(*record.Attached)
	if faults := models.CheckAttached(&access); len(faults) > 0 {
		r.warn(ctx, models.Event{ClusterName: cluster.Name, Message: fmt.Sprintf("How the cluster %s was reached is not valid here, so it was not brought back. Attach it again. %s", cluster.Name, faults.Error())}, nil)
		return nil
	}
	cluster.Kind, cluster.CreatedAt, cluster.Attachment = models.KindAttached, record.CreatedAt, &models.Attachment{Access: access}
	cluster.StatusReason = "The catalog was lost, and with it the passwords by which it is reached. Give them again."
	adopted, err := r.DB.Rebuild.AdoptLostCluster(ctx, cluster, r.since, archive.ClusterRecordKey(cluster.Name), record.Sum())
	if err == nil && adopted {
		r.done.Lost = append(r.done.Lost, cluster.Name)
	}
	return err
}

func (r *rebuilding) lostSentence(c models.Cluster, was archive.Configuration) string {
	text := "Its nodes are gone; its configuration and schedule are known from the store."
	newest, found := r.newest[c.Name]
	switch {
	case c.Cached():
		text += " It was a cache, so there is nothing to restore: create it again."
	case !found:
		text += " There is no snapshot of it."
	default:
		text += fmt.Sprintf(" Restore its newest snapshot, %s of %s UTC, into a new cluster. To give that the name %s, delete this entry first: its snapshots stay.",
			newest.Snapshot, newest.CreatedAt.UTC().Format("2006-01-02 15:04"), c.Name)
	}
	if was.AuthEnabled {
		text += " Its password is not known."
	}
	return text
}

// clusters brings back the clusters that have node directories and that the catalog does not know. It returns all nodes that have a directory, by
// cluster.
func (r *rebuilding) clusters(ctx context.Context) (map[string][]string, error) {
	ids, err := r.Launcher.List(ctx)
	if err != nil {
		return nil, err
	}
	nodes := make(map[string][]string)
	for _, id := range ids {
		if isTrial(id) {
			continue
		}
		nodes[id.Cluster] = append(nodes[id.Cluster], id.Name)
	}
	names := make([]string, 0, len(nodes))
	for name := range nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	if _, err := r.DB.Owners.TakeOver(ctx, names); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := r.DB.Clusters.Get(ctx, name); err == nil {
			continue
		} else if !models.HasCode(err, models.CodeClusterNotFound) {
			return nil, err
		}
		cluster, err := r.cluster(ctx, name, nodes[name])
		var adopted bool
		if err == nil {
			adopted, err = r.DB.Rebuild.AdoptCluster(ctx, cluster, r.adoptedSentence(cluster))
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile, or never started
		case err != nil:
			text, known := r.Sentence(err)
			if !known {
				text = "The log says why."
			}
			r.warn(ctx, models.Event{ClusterName: name,
				Message: fmt.Sprintf("There are files of nodes of a cluster %s, which the catalog does not know and which could not be brought back. %s They were left alone.", name, text)}, err)
		case adopted:
			r.done.Clusters = append(r.done.Clusters, name)
			if record, found := r.records[name]; found {
				if err := r.DB.Records.EndKeep(ctx, archive.ClusterRecordKey(name), record.Sum()); err != nil {
					return nil, err
				}
			}
		}
	}
	return nodes, nil
}

func (r *rebuilding) adoptedSentence(c models.Cluster) string {
	text := fmt.Sprintf("The cluster %s was brought back from the files of its nodes (%s).", c.Name, strings.Join(nodeNames(c), ", "))
	if _, from, known := r.configuration(c.Name); known {
		return text + fmt.Sprintf(" Its schedule and description are those of %s: look whether they are still right.", from)
	}
	return text + " There is no snapshot of it, so automatic snapshots are off: give it a schedule."
}

func nodeNames(c models.Cluster) []string {
	names := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		names[i] = n.Name
	}
	return names
}

// cluster puts a cluster together from its nodes' directories and its newest manifest. It refuses what is not clear: a wrong guess at the primary
// could cost the data.
func (r *rebuilding) cluster(ctx context.Context, name string, names []string) (models.Cluster, error) {
	var none models.Cluster
	if checked, problem := models.CheckName("cluster id", name); problem != "" || checked != name {
		return none, reason.Because(nil, "That is not a valid cluster name.")
	}
	config, _, _ := r.configuration(name)
	cluster := r.wanted(ctx, name, config)
	cluster.Replicas = len(names) - 1
	slices.Sort(names)
	var started []launch.Found
	for _, node := range names {
		found, err := r.Launcher.Describe(ctx, name, node)
		if err != nil {
			return none, reason.Because(err, "The files of the node %s cannot be read.", node)
		}
		started = append(started, found)
		if found.Password != started[0].Password || found.Engine != started[0].Engine || found.ClusterMode != started[0].ClusterMode || found.TLS != started[0].TLS || found.MaxMemory != started[0].MaxMemory {
			return none, reason.Because(nil, "The nodes %s and %s were started with different settings.", started[0].Name, node)
		}
		cluster.Nodes = append(cluster.Nodes, models.Node{Name: node, Shard: 1, Role: models.RoleReplica, Host: found.Host, Port: found.Port, State: "starting"})
	}
	first := started[0]
	most := 1 + models.MaxReplicas
	if first.Engine == models.EngineMemcached {
		most = models.MaxCacheNodes
	}
	if first.ClusterMode {
		most *= models.MaxShards
	}
	if len(names) > most {
		return none, reason.Because(nil, "There are %d nodes; a cluster can have at most %d.", len(names), most)
	}
	cluster.Engine, cluster.EngineVersion = first.Engine, first.Version
	signIn(&cluster, first)
	if first.User != "" {
		r.warn(ctx, models.Event{ClusterName: name, Message: usersLost(cluster)}, nil)
	}
	cluster.TransitEncryption, cluster.CA = first.TLS, first.CA
	if cluster.NodeType = nodeTypeOf(first.MaxMemory, config.NodeType); cluster.NodeType == "" {
		return none, reason.Because(nil, "No node type has the memory limit of its nodes, %s.", words.Size(first.MaxMemory))
	}
	for i := range cluster.Nodes {
		cluster.Nodes[i].MaxMemory = cluster.MaxMemory()
	}
	if cluster.Cached() {
		cluster.Grouped, cluster.Replicas, cluster.Port = false, 0, first.Port
		for i := range cluster.Nodes {
			cluster.Nodes[i].Role = models.RoleCache
		}
		return cluster, nil
	}
	cluster.Grouped = cluster.Grouped || cluster.Replicas > 0
	if cluster.ClusterMode = first.ClusterMode; cluster.ClusterMode {
		return cluster, r.shards(ctx, &cluster, started)
	}
	leads, err := r.primary(ctx, cluster, started)
	if err != nil {
		source := ""
		if leads, source = r.migrating(ctx, cluster); source == "" {
			return none, err
		}
		cluster.Migration = models.Migration{Source: source, Address: source}
	}
	cluster.ShardCount = 1
	cluster.Nodes[leads].Role, cluster.Port = models.RolePrimary, cluster.Nodes[leads].Port
	return cluster, nil
}

// signIn says how the nodes of a cluster are signed in at. The catalog may have been lost in the middle of a change.
func signIn(cluster *models.Cluster, node launch.Found) {
	cluster.Password, cluster.OldPassword = node.Password, node.OldPassword
	if len(node.Former) > 0 {
		cluster.PasswordPending, cluster.FormerUser, cluster.FormerPassword = true, node.FormerUser, node.Former[0]
	}
	if node.User == "" {
		return
	}
	// The users are lost, so the default one comes back. As long as a change to a group is not done, each node takes what it took before: that is how
	// the change is undone. Afterwards the password of the console's own user becomes the default one's.
	cluster.PasswordPending, cluster.FormerUser, cluster.FormerPassword = true, node.User, node.Password
	if len(node.Former) > 0 {
		cluster.Password = node.Former[0]
	}
}

// usersLost says what becomes of a cluster that had a user group.
func usersLost(cluster models.Cluster) string {
	text := fmt.Sprintf("The users of the cluster %s were in the catalog that was lost.", cluster.Name)
	if cluster.Password == "" {
		return text + " It takes anybody, as before it was given its user group: give it one again."
	}
	return text + " Now it has a password, which its page shows; give it a user group again."
}

// shardOfNode finds the shard in the name of a node in cluster mode, as [models.ShardNodeName] writes it.
var shardOfNode = regexp.MustCompile(`-(\d{4})-\d{3}$`)

// shards sorts the nodes of a cluster in cluster mode into shards, by their names, and finds the primary of each shard. Slots are spread evenly until
// the supervisor has seen the real ones.
func (r *rebuilding) shards(ctx context.Context, cluster *models.Cluster, started []launch.Found) error {
	for i := range cluster.Nodes {
		number := shardOfNode.FindStringSubmatch(strings.TrimPrefix(cluster.Nodes[i].Name, cluster.Name))
		if number == nil {
			return reason.Because(nil, "The name of the node %s does not say which shard it belongs to.", cluster.Nodes[i].Name)
		}
		cluster.Nodes[i].Shard, _ = strconv.Atoi(number[1])
	}
	shards := cluster.Shards()
	sets := slots.Spread(len(shards))
	cluster.ShardCount, cluster.Replicas = len(shards), 0
	next := 0 // the nodes are sorted by name, hence by shard
	for i, shard := range shards {
		if shard.Number != i+1 {
			return reason.Because(nil, "Its shard %04d has no node.", i+1)
		}
		primary, err := r.primary(ctx, cluster.Only(shard), started[next:next+len(shard.Nodes)])
		if err != nil {
			return err
		}
		cluster.Nodes[next+primary].Role, cluster.Nodes[next+primary].Slots = models.RolePrimary, sets[i]
		if cluster.Replicas = max(cluster.Replicas, len(shard.Nodes)-1); i == 0 {
			cluster.Port = cluster.Nodes[primary].Port
		}
		next += len(shard.Nodes)
	}
	return nil
}

// primary finds out which node is the primary. Living nodes know. When none is alive it is the one that was started as a primary; the supervisor
// takes the latest data of any of them, whichever that is.
func (r *rebuilding) primary(ctx context.Context, cluster models.Cluster, started []launch.Found) (int, error) {
	running, live := 0, []int{}
	followed := make(map[string]bool) // whom the living replicas follow
	for i, node := range cluster.Nodes {
		is, err := r.Launcher.Running(ctx, cluster.Name, node.Name)
		if err != nil {
			return 0, err
		}
		if !is {
			continue
		}
		running++
		follows, replica, err := r.Follows(ctx, cluster, node)
		if err != nil {
			return 0, reason.Because(err, "The node %s runs but does not answer.", node.Name)
		}
		if !replica {
			live = append(live, i)
		} else {
			followed[follows] = true
		}
	}
	if running > 0 && len(live) == 0 && len(followed) == 1 {
		// The primary has died. The supervisor will find a successor.
		for i, node := range cluster.Nodes {
			if followed[node.Address()] {
				return i, nil
			}
		}
	}
	switch {
	case len(live) == 1:
		return live[0], nil
	case running > 0:
		return 0, reason.Because(nil, "%d of its %d running nodes say that they are the primary.", len(live), running)
	}
	for i, found := range started {
		if !found.Replica {
			return i, nil
		}
	}
	return 0, nil
}

// migrating finds the node that follows a server outside, and that server's address, of a cluster into which data is being moved; "" if there is none.
// Nobody else would have told it to, and should somebody have done so, it is theirs to say what becomes of it.
func (r *rebuilding) migrating(ctx context.Context, cluster models.Cluster) (int, string) {
	at, source := 0, ""
	for i, node := range cluster.Nodes {
		follows, replica, err := r.Follows(ctx, cluster, node)
		held := follows == net.JoinHostPort(primary.Nobody.Host, strconv.Itoa(primary.Nobody.Port))
		if err != nil || !replica || held || slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Address() == follows }) {
			continue
		}
		if _, _, err := (models.Migration{Address: follows}).SourceEndpoint(); err != nil || source != "" {
			return 0, ""
		}
		at, source = i, follows
	}
	return at, source
}

// nodeTypeOf returns the node type with this memory: the preferred one, if that fits.
func nodeTypeOf(memory int64, preferred string) string {
	if t, ok := models.FindNodeType(preferred); ok && t.Memory == memory {
		return preferred
	}
	for _, t := range models.NodeTypes() {
		if t.Memory == memory {
			return t.Name
		}
	}
	return ""
}
