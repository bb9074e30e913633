package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// shells are those for which there is a completion script.
var shells = []string{"bash", "zsh", "fish"}

// runCompletion is "rekindle completion SHELL".
func runCompletion(c call) error {
	names := strings.Join(shells, ", ")
	if len(c.args) != 1 {
		return misuse("name the shell: rekindle completion bash (of %s); docs/running.md says where the script belongs", names)
	}
	if slices.Contains(helpWords, c.args[0]) {
		fmt.Fprintf(c.stdout, "Print a script that has a shell complete commands and flags: %s.\n\n  bash  source <(rekindle completion bash)\n"+
			"  zsh   source <(rekindle completion zsh)\n  fish  rekindle completion fish | source\n", names)
		return nil
	}
	switch c.args[0] {
	case "bash":
		completeBash(c.stdout, commands())
	case "zsh":
		completeZsh(c.stdout, commands())
	case "fish":
		completeFish(c.stdout, commands())
	default:
		return misuse("there is no completion for %q, only for %s", c.args[0], names)
	}
	return nil
}

// next returns the words that can follow a command's first word: the second word of longer ones.
func next(all []command, first string) (words []string) {
	for _, c := range all {
		rest, is := c.name, first == ""
		if !is {
			rest, is = strings.CutPrefix(c.name, first+" ")
		}
		if word, _, _ := strings.Cut(rest, " "); is && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// groups are the first words of the commands of two words.
func groups(all []command) (firsts []string) {
	for _, c := range all {
		if first, _, two := strings.Cut(c.name, " "); two && !slices.Contains(firsts, first) {
			firsts = append(firsts, first)
		}
	}
	return firsts
}

// flagNames are the flags of a command as they are written.
func flagNames(c command) (names []string) {
	for _, f := range c.flags(context.Background()) {
		names = append(names, "--"+f.name)
	}
	return names
}

// paths tells whether a flag's value is a file or folder.
func (f flagText) paths() bool { return f.value == "file" || f.value == "folder" }

func completeBash(w io.Writer, all []command) {
	fmt.Fprint(w, "# Completion of rekindle for bash.\n_rekindle() {\n\tlocal command=\"${COMP_WORDS[1]}\" words=\"\" current=\"${COMP_WORDS[COMP_CWORD]}\"\n\tCOMPREPLY=()\n")
	fmt.Fprintf(w, "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W %q -- \"$current\"))\n\t\treturn\n\tfi\n", strings.Join(next(all, ""), " "))
	fmt.Fprint(w, "\tcase \"$command\" in\n")
	for _, first := range groups(all) {
		fmt.Fprintf(w, "\t%s)\n\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\t\tCOMPREPLY=($(compgen -W %q -- \"$current\"))\n\t\t\treturn\n\t\tfi\n\t\tcommand=\"$command ${COMP_WORDS[2]}\" ;;\n",
			first, strings.Join(next(all, first), " "))
	}
	fmt.Fprint(w, "\tesac\n\tcase \"$command\" in\n")
	for _, c := range all {
		if names := flagNames(c); len(names) > 0 {
			fmt.Fprintf(w, "\t%q) words=%q ;;\n", c.name, strings.Join(names, " "))
		}
	}
	fmt.Fprintf(w, "\tcompletion) words=%q ;;\n\tesac\n", strings.Join(shells, " "))
	fmt.Fprint(w, "\tcase \"$command:$current\" in\n\tcompletion:* | *:-*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n\t*) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n\tesac\n}\n"+
		"complete -o filenames -F _rekindle rekindle\n")
}

func completeFish(w io.Writer, all []command) {
	fmt.Fprint(w, "# Completion of rekindle for fish.\ncomplete -c rekindle -n __fish_use_subcommand -f\n")
	firsts := groups(all)
	for _, word := range next(all, "") {
		purpose := "commands for " + word
		if c, _, one := find(all, []string{word}); one {
			purpose = c.purpose
		}
		fmt.Fprintf(w, "complete -c rekindle -n __fish_use_subcommand -f -a %s -d %s\n", word, quoted(purpose))
	}
	for _, c := range all {
		words := strings.Fields(c.name)
		when := "__fish_seen_subcommand_from " + words[0]
		if slices.Contains(firsts, words[0]) {
			others := strings.Join(next(all, words[0]), " ")
			fmt.Fprintf(w, "complete -c rekindle -n %s -f -a %s -d %s\n", quoted(when+"; and not __fish_seen_subcommand_from "+others), words[1], quoted(c.purpose))
			when += "; and __fish_seen_subcommand_from " + words[1]
		}
		for _, f := range c.flags(context.Background()) {
			value := ""
			if f.value != "" {
				value = " -r"
				if !f.paths() {
					value = " -x"
				}
			}
			fmt.Fprintf(w, "complete -c rekindle -n %s -l %s%s -d %s\n", quoted(when), f.name, value, quoted(f.purpose))
		}
	}
	fmt.Fprintf(w, "complete -c rekindle -n '__fish_seen_subcommand_from completion' -f -a %s\n", quoted(strings.Join(shells, " ")))
}

func completeZsh(w io.Writer, all []command) {
	fmt.Fprint(w, "#compdef rekindle\n# Completion of rekindle for zsh.\n_rekindle() {\n\tlocal -a words_here\n\tlocal command=\"$words[2]\"\n\tif (( CURRENT == 2 )); then\n\t\twords_here=(\n")
	for _, word := range next(all, "") {
		purpose := "commands for " + word
		if c, _, one := find(all, []string{word}); one {
			purpose = c.purpose
		}
		fmt.Fprintf(w, "\t\t\t%s\n", quoted(word+":"+purpose))
	}
	fmt.Fprint(w, "\t\t)\n\t\t_describe command words_here\n\t\treturn\n\tfi\n\tcase \"$command\" in\n")
	for _, first := range groups(all) {
		fmt.Fprintf(w, "\t%s)\n\t\tif (( CURRENT == 3 )); then\n\t\t\twords_here=(\n", first)
		for _, c := range group(all, first) {
			fmt.Fprintf(w, "\t\t\t\t%s\n", quoted(strings.TrimPrefix(c.name, first+" ")+":"+c.purpose))
		}
		fmt.Fprint(w, "\t\t\t)\n\t\t\t_describe command words_here\n\t\t\treturn\n\t\tfi\n\t\tcommand=\"$command $words[3]\" ;;\n")
	}
	fmt.Fprint(w, "\tesac\n\tcase \"$command\" in\n")
	for _, c := range all {
		if names := c.flags(context.Background()); len(names) > 0 {
			fmt.Fprintf(w, "\t%s) words_here=(\n", quoted(c.name))
			for _, f := range names {
				fmt.Fprintf(w, "\t\t%s\n", quoted("--"+f.name+":"+f.purpose))
			}
			fmt.Fprint(w, "\t) ;;\n")
		}
	}
	fmt.Fprintf(w, "\tcompletion) words_here=(%s) ;;\n\tesac\n", strings.Join(shells, " "))
	fmt.Fprint(w, "\tif [[ \"$command\" == completion || \"$PREFIX\" == -* ]]; then\n\t\t_describe option words_here\n\telse\n\t\t_files\n\tfi\n}\n"+
		"if [[ \"$funcstack[1]\" == _rekindle ]]; then\n\t_rekindle\nelse\n\tcompdef _rekindle rekindle\nfi\n")
}

// quoted is a word for a shell, in single quotes.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
