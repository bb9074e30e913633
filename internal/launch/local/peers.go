package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rekindle/internal/launch"
)

// A node in cluster mode remembers in nodes.conf where the others were when it last ran. When they have moved meanwhile, nobody would tell it: it would
// look for them at addresses that may be somebody else's by now. So their places are corrected before it starts. Their IDs stay.

// introduce corrects where the nodes of its cluster are in the nodes.conf of the node in dir, which does not run.
func (l *Launcher) introduce(dir string, n launch.Node) error {
	path := filepath.Join(dir, mapFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it has not run yet
	} else if err != nil {
		return err
	}
	at := make(map[string]launch.Endpoint)
	for name, endpoint := range n.Peers {
		peer, err := l.nodeDir(n.Cluster, name)
		if err != nil {
			return err
		}
		id, err := clusterID(peer)
		if err != nil {
			return err
		}
		if id != "" && !isUnspecified(endpoint.Host) {
			at[id] = endpoint
		}
	}
	_, err = replaceChanged(path, []byte(relocate(string(text), at)))
	return err
}

// clusterID is what the cluster calls the node in dir; "" if it has not run yet.
func clusterID(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, mapFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 2 && slices.Contains(strings.Split(fields[2], ","), "myself") {
			return fields[0], nil
		}
	}
	return "", nil
}

// placePattern is where a line of nodes.conf says that a node is: "10.0.0.5:6379@16379", from 7.0 on with its name and more behind a comma.
var placePattern = regexp.MustCompile(`^.*:[0-9]+@[0-9]+(,.*)?$`)

// relocate returns the text of a nodes.conf in which the nodes with these IDs are at these places. A line is "<id> <place> <flags> ...".
func relocate(text string, at map[string]launch.Endpoint) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.SplitN(line, " ", 4)
		endpoint, known := at[words[0]]
		if place := placePattern.FindStringSubmatch(words[min(1, len(words)-1)]); known && len(words) == 4 && place != nil {
			words[1] = fmt.Sprintf("%s:%d@%d%s", endpoint.Host, endpoint.Port, endpoint.Port+busDistance, place[1]) // an IPv6 address has no brackets here
			words[2] = strings.ReplaceAll(words[2], ",noaddr", "")
		}
		b.WriteString(strings.Join(words, " "))
	}
	return b.String()
}
