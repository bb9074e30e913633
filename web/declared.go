package web

import (
	"net/http"

	"rekindle/models"
	"rekindle/views"
)

// elsewhere refuses a page that would change something that the clusters file decides.
func elsewhere(cluster models.Cluster, r *http.Request) error {
	if why := cluster.Elsewhere(visitOf(r).user.Name); why != "" {
		return problem{status: http.StatusConflict, title: "This cluster is changed in its file", text: why, back: clusterAddress(cluster.Name), backText: "To the cluster"}
	}
	return nil
}

func presentClustersFile(d models.Declared) views.ClustersFile {
	file := views.ClustersFile{Path: d.File, Refused: d.Refused}
	for _, o := range d.Outstanding {
		file.Outstanding = append(file.Outstanding, views.Outstanding{Name: o.Name, Attached: o.Attached, Reason: o.Reason, Since: o.Since, Tried: o.Tried})
	}
	return file
}
