package declared

import (
	"rekindle/internal/yamlfile"
	"rekindle/models"
)

// Source is where clusters are declared. Getenv is asked for the secrets that come from the environment.
type Source struct {
	Path   string
	Getenv func(string) string
}

// File is what a clusters file declares, in its final form.
type File struct {
	Path     string
	Clusters []models.AttachSpec
}

// Mistakes is all that is wrong with a clusters file, in words. None of them contains a secret.
type Mistakes = yamlfile.Mistakes

// Load reads the clusters file and checks all that can be checked without reaching a cluster. An error is [Mistakes].
func (s Source) Load() (File, error) {
	r := &reader{yamlfile.Reader{File: s.Path, Getenv: s.Getenv}}
	file := File{Path: s.Path}
	if top, any := r.Top("clusters file"); any {
		file.Clusters = r.clusters(top)
	} else if len(r.Mistakes) == 0 {
		r.Wrong(0, "", "", noClusters)
	}
	if len(r.Mistakes) > 0 {
		return File{}, r.Mistakes
	}
	return file, nil
}
