package jobs

import (
	"context"
	"log/slog"

	"rekindle/internal/launch"
	"rekindle/models/catalog"
)

// discreet is a launcher that does not repeat names of keys when somebody has chosen to hide them. When that cannot be found out, they are hidden.
type discreet struct {
	launch.Launcher
	db     *catalog.DB
	logger *slog.Logger
}

// LastWords implements [launch.Historian].
func (d discreet) LastWords(ctx context.Context, cluster, name string) (sentence string, named bool) {
	sentence, named = d.Launcher.LastWords(ctx, cluster, name)
	without := launch.WithoutKey(sentence)
	if without == sentence {
		return sentence, named
	}
	hide, err := d.db.Settings.HidesKeyNames(ctx)
	if err != nil && ctx.Err() == nil {
		d.logger.Error("find out whether names of keys are hidden", "error", err)
	}
	if hide || err != nil {
		return without, named
	}
	return sentence, named
}

// Owns implements [launch.FolderOwner] for launchers that do.
func (d discreet) Owns(path string) bool {
	owner, is := d.Launcher.(launch.FolderOwner)
	return is && owner.Owns(path)
}
