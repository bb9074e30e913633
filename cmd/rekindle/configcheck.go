package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"

	"rekindle/internal/secret"
)

// setting is one of serve's, as it is in force.
type setting struct {
	name  string
	value secret.Text // the catalog's and others may contain passwords
	shown string
	from  origin // "": it has its default
}

// effective lists all settings but the name of the file that some come from.
func effective(flags *flagSet, c config) []setting {
	var all []setting
	for _, name := range flags.settings() {
		s := setting{name: name, from: flags.from[name]}
		if into, hidden := flags.secrets[name]; hidden {
			if s.value = *into; s.value != "" {
				s.shown = "(not shown)"
			}
		} else {
			s.value = secret.Text(flags.Lookup(name).Value.String())
			s.shown = withoutPassword(s.value.Reveal())
		}
		switch name {
		case "config":
			continue
		case "catalog":
			s.shown = c.place.catalog.String()
		case "store":
			s.shown = c.store
		}
		all = append(all, s)
	}
	return all
}

// withoutPassword hides the password of a URL.
func withoutPassword(text string) string {
	if address, err := url.Parse(text); err == nil && address.User != nil {
		return address.Redacted()
	}
	return text
}

// runConfigCheck is "rekindle config check [FILE]".
func runConfigCheck(of call) error {
	var c config
	env := watch(of.getenv)
	flags, all := serveFlags("config check", `Say what is wrong with a configuration file, or print all settings that serve would have with it, and where each comes from:
rekindle config check [FILE] [flags of serve]. Run it in the console's environment. Nothing is changed or connected to.`, &c, env.get, of.stdout)
	file, err := flags.argumentsWith(of.args)
	if err != nil {
		return err
	}
	if file != "" {
		*flags.config = file
		flags.from["config"] = origin{kind: fromFlag}
	}
	if err := readConfig(flags, all, &c); err != nil {
		return err
	}
	if _, err := loadClusters(c.clusters); err != nil {
		return err
	}
	notes, err := env.unknown(of.environ)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(of.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tFROM")
	for _, s := range c.settings {
		from := s.from.String()
		if from == "" {
			from = "default"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.name, strings.ReplaceAll(s.shown, "\n", " "), from)
	}
	failed := table.Flush()
	for _, note := range append(c.notes, notes...) {
		fmt.Fprintln(of.stderr, "rekindle:", note)
	}
	return errors.Join(failed)
}
