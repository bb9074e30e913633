// Sbom prints what a built program consists of, as a CycloneDX 1.5 document: the modules that Go's linker has written into it, with their versions
// and hashes, and the toolchain. See https://cyclonedx.org/docs/1.5/json/.
//
//	go run ./sbom PROGRAM VERSION
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

type document struct {
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []relation  `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type relation struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM VERSION")
		os.Exit(2)
	}
	info, err := buildinfo.ReadFile(os.Args[1])
	if err == nil {
		err = write(os.Stdout, info, os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// write prints the document of a program of the given version.
func write(w io.Writer, info *debug.BuildInfo, version string) error {
	program := component{Type: "application", Ref: "rekindle", Name: "rekindle", Version: version}
	toolchain := strings.TrimPrefix(info.GoVersion, "go")
	parts := []component{{Type: "library", Ref: "pkg:golang/std@" + toolchain, Name: "std", Version: toolchain, PURL: "pkg:golang/std@" + toolchain}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		part, err := library(module)
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	uses := relation{Ref: program.Ref}
	for _, part := range parts {
		uses.On = append(uses.On, part.Ref)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: metadata{program}, Components: parts, Dependencies: []relation{uses}})
}

// library is a module. Its hash is that of go.sum, which is over the names and hashes of its files, and so is not that of one file.
func library(module *debug.Module) (component, error) {
	ref := "pkg:golang/" + module.Path + "@" + module.Version
	part := component{Type: "library", Ref: ref, Name: module.Path, Version: module.Version, PURL: ref}
	if module.Sum == "" {
		return part, nil
	}
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(module.Sum, "h1:"))
	if err != nil {
		return part, fmt.Errorf("the hash of %s: %w", module.Path, err)
	}
	part.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum)}}
	part.Properties = []property{{"rekindle:go.sum", module.Sum}}
	return part, nil
}
