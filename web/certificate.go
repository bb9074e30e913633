package web

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// certificate hands out by what clients know the nodes of a cluster that encrypts: the certificate of the CA, and those of the CAs before it that still
// hold. There is nothing secret in it.
func (h clusterPages) certificate(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if !cluster.TransitEncryption || cluster.CA == "" {
		return problem{status: http.StatusNotFound, title: "There is no certificate", text: fmt.Sprintf("Rekindle has no certificate for the nodes of %s: they do not encrypt, or are not its own.", cluster.Name),
			back: clusterAddress(cluster.Name), backText: "To the cluster"}
	}
	header := w.Header()
	header.Set("Content-Type", "application/x-pem-file")
	header.Set("Content-Length", strconv.Itoa(len(cluster.CA)))
	header.Set("Content-Disposition", `attachment; filename="`+cluster.Name+`-ca.pem"`) // names have only letters, digits and hyphens
	if _, err := io.WriteString(w, cluster.CA); err != nil && r.Context().Err() == nil {
		return fmt.Errorf("send the certificate of %s: %w", cluster.Name, err)
	}
	return nil
}
