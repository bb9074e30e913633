package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"rekindle/internal/secret"
)

// errUsage marks mistakes in flags, environment and configuration file.
var errUsage = errors.New("wrong use")

func misuse(text string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(text, args...))
}

// flagSet is a flag.FlagSet whose flags can also come from the environment, and then from a configuration file.
type flagSet struct {
	*flag.FlagSet
	getenv  func(string) string
	help    func()
	config  *string                 // path of the configuration file; nil: the command takes none
	file    string                  // its absolute path, once it is read
	lists   []string                // flags with several values, separated by commas
	secrets map[string]*secret.Text // settings that are no flags, because everybody on the host can see arguments
	open    []string                // those of them that a configuration file may have in it
	from    map[string]origin       // where each setting comes from that has not its default
	notes   []string                // what is not wrong, but should be known
}

// origin is where a setting comes from.
type origin struct {
	kind  string // flag, environment or file
	place string // REKINDLE_LISTEN, /etc/rekindle.yaml:3
}

func (o origin) String() string { return strings.TrimSpace(o.kind + " " + o.place) }

const (
	fromFlag        = "flag"
	fromEnvironment = "environment"
	fromFile        = "file"
)

// newFlags prepares the flags of a command; help goes to output.
func newFlags(command, purpose string, getenv func(string) string, output io.Writer) *flagSet {
	flags := &flagSet{FlagSet: flag.NewFlagSet(command, flag.ContinueOnError), getenv: getenv, secrets: make(map[string]*secret.Text), from: make(map[string]origin)}
	flags.SetOutput(io.Discard) // main reports a mistake, and without the whole help text
	flags.Usage = func() {}
	flags.help = func() {
		fmt.Fprintf(output, "%s\n\nUsage:\n  rekindle %s [flags]\n\nFlags:\n", purpose, command)
		flags.VisitAll(func(f *flag.Flag) {
			name, text := flag.UnquoteUsage(f)
			fmt.Fprintf(output, "  --%s %s\n        %s", f.Name, name, text)
			if f.DefValue != "" && f.DefValue != "false" {
				fmt.Fprintf(output, " (default %s)", f.DefValue)
			}
			fmt.Fprintf(output, " [%s]\n", variable(f.Name))
		})
	}
	return flags
}

const variablePrefix = "REKINDLE_"

// variable is the name of a setting in the environment.
func variable(setting string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

func (f *flagSet) string(name, value, text string) *string {
	return f.FlagSet.String(name, value, text)
}

// list declares a flag with several values, separated by commas.
func (f *flagSet) list(name, value, text string) *string {
	f.lists = append(f.lists, name)
	return f.string(name, value, text)
}

// secret declares a setting that is no flag.
func (f *flagSet) secret(name string, into *secret.Text) { f.secrets[name] = into }

// parseWith is parse for a command that takes one argument in addition to its flags, before, between or after them.
func (f *flagSet) parseWith(args []string) (operand string, err error) {
	if operand, err = f.argumentsWith(args); err != nil {
		return "", err
	}
	return operand, f.fill()
}

func (f *flagSet) argumentsWith(args []string) (operand string, err error) {
	if err = f.arguments(args); !errors.Is(err, errOperand) {
		return "", err
	}
	return f.Arg(0), f.arguments(f.Args()[1:])
}

// errOperand comes with errUsage: there is an argument that is not a flag.
var errOperand = errors.New("unexpected argument")

// parse reads the arguments, and what they do not set from the environment or else from the configuration file.
func (f *flagSet) parse(args []string) error {
	if err := f.arguments(args); err != nil {
		return err
	}
	return f.fill()
}

// arguments reads the arguments. After an error there is nothing to go on with.
func (f *flagSet) arguments(args []string) error {
	err := f.Parse(args)
	f.Visit(func(given *flag.Flag) { f.from[given.Name] = origin{kind: fromFlag} })
	if errors.Is(err, flag.ErrHelp) {
		f.help()
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w; rekindle %s --help lists the flags", errUsage, err, f.Name())
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%w: %w %q; rekindle %s --help lists the flags", errUsage, errOperand, f.Arg(0), f.Name())
	}
	return nil
}

// fill sets what the arguments have not. It goes on after a mistake, so that all can be reported.
func (f *flagSet) fill() error {
	var failures []error
	f.VisitAll(func(flag *flag.Flag) {
		value := f.getenv(variable(flag.Name))
		if value == "" || f.given(flag.Name) {
			return
		}
		f.from[flag.Name] = origin{fromEnvironment, variable(flag.Name)}
		if err := f.Set(flag.Name, value); err != nil {
			failures = append(failures, misuse("%s=%q is not acceptable", variable(flag.Name), value))
		}
	})
	for name, into := range f.secrets {
		if value := f.getenv(variable(name)); value != "" {
			*into, f.from[name] = secret.Text(value), origin{fromEnvironment, variable(name)}
		}
	}
	if f.config != nil && *f.config != "" {
		failures = append(failures, f.readFile(*f.config))
	}
	return errors.Join(failures...)
}

// given tells whether a setting has another value than its default.
func (f *flagSet) given(name string) bool {
	_, given := f.from[name]
	return given
}

// wrong says what is wrong with a setting, by the name that it has where it comes from.
func (f *flagSet) wrong(name, text string, args ...any) error {
	called := "--" + name
	switch o := f.from[name]; o.kind {
	case fromEnvironment:
		called = o.place
	case fromFile:
		called = o.place + ": " + name
	}
	return misuse("%s %s", called, fmt.Sprintf(text, args...))
}

// settings names all that can be set, in the order of the alphabet.
func (f *flagSet) settings() []string {
	var names []string
	f.VisitAll(func(flag *flag.Flag) { names = append(names, flag.Name) })
	for name := range f.secrets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
