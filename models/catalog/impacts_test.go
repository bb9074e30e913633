package catalog

import (
	"testing"

	"rekindle/models"
)

func TestWhatARunCostIsKeptAsLongAsTheRun(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	run := models.Run{Kind: models.RunSnapshot, Status: models.RunRunning, CreatedAt: db.Now()}
	check(t, db.gorm.Create(&run).Error)
	if _, measured, err := db.Impacts.Of(t.Context(), run); err != nil || measured {
		t.Fatal(measured, err)
	}
	check(t, db.Impacts.Keep(t.Context(), run, models.Impact{More: 3})) // nothing was measured
	if n := count(t, db, &models.RunImpact{}); n != 0 {
		t.Errorf("%d are kept", n)
	}
	for _, micros := range []int64{100, 200} { // the second time, another console went on with it
		check(t, db.Impacts.Keep(t.Context(), run, models.Impact{Parts: []models.PartImpact{{Shard: 1, Since: db.Now(), Begun: 5,
			Nodes: []models.NodeImpact{{Name: "orders-002", Role: models.RoleReplica, Forked: true, ForkMicros: micros, Samples: []models.ImpactSample{{At: 1, Phase: models.PhaseDuring, Ping: 2, Rate: 3.5, Memory: 4, Lag: 5}}}}}}}))
	}
	impact, measured, err := db.Impacts.Of(t.Context(), run)
	check(t, err)
	if !measured || impact.Parts[0].Nodes[0].ForkMicros != 200 || impact.Parts[0].Nodes[0].Samples[0] != (models.ImpactSample{At: 1, Phase: models.PhaseDuring, Ping: 2, Rate: 3.5, Memory: 4, Lag: 5}) || !impact.Parts[0].Since.Equal(db.Now()) {
		t.Errorf("%v %+v", measured, impact)
	}
	check(t, db.gorm.Delete(&run).Error)
	if n := count(t, db, &models.RunImpact{}); n != 0 {
		t.Errorf("%d are left of a run that is gone", n)
	}
}
