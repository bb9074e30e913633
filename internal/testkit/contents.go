package testkit

import (
	"path"
	"slices"
	"strings"
)

// Undescribed leaves out of the objects of a store what says what is in the snapshots, and the filters of their keys, where that lies beside a manifest: a whole snapshot has it or not.
// Where there is no manifest, it is something that was left behind.
func Undescribed(objects []string) []string {
	all := slices.Clone(objects)
	return slices.DeleteFunc(objects, func(object string) bool {
		described := strings.HasPrefix(path.Base(object), "contents-") || strings.HasSuffix(object, ".fuse")
		return described && slices.Contains(all, path.Dir(object)+"/manifest.json")
	})
}
