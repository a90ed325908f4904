package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/offchat/presence/internal/config"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by --help.
func (completionCmd) Help() string {
	return `The packages install these; by hand:

    presence completion bash > /etc/bash_completion.d/presence
    presence completion zsh > "${fpath[1]}/_presence"
    presence completion fish > ~/.config/fish/completions/presence.fish`
}

// Run prints the script.
func (c *completionCmd) Run(p *process) error {
	places, err := grammar(p)
	if err != nil {
		return err
	}
	switch c.Shell {
	case "fish":
		return fishCompletion(p.stdout, places)
	case "zsh":
		fmt.Fprintln(p.stdout, "#compdef presence\nautoload -U +X bashcompinit && bashcompinit")
	}
	return bashCompletion(p.stdout, places)
}

// place is a command as far as it is written, and what may follow.
type place struct {
	path     string // "user create"; empty: presence itself
	commands []*kong.Node
	flags    []option
	help     string
	detail   string
	args     string // the names of its arguments
}

// option is a flag.
type option struct {
	name, help, placeholder string
	short                   string
	switches                bool // takes no value
	choices                 []string
	file                    bool
	setting                 bool // one of config's, listed once for all commands
}

// grammar is the whole command line, commands before their subcommands.
func grammar(p *process) ([]place, error) {
	parser, err := newParser(p)
	if err != nil {
		return nil, err
	}
	var places []place
	var walk func(node *kong.Node, path string)
	walk = func(node *kong.Node, path string) {
		here := place{path: path, help: node.Help, detail: node.Detail, flags: optionsOf(node)}
		for _, arg := range node.Positional {
			here.args += " " + strings.ToUpper(arg.Name)
		}
		for _, child := range node.Children {
			if !child.Hidden {
				here.commands = append(here.commands, child)
			}
		}
		places = append(places, here)
		for _, child := range here.commands {
			walk(child, strings.TrimSpace(path+" "+child.Name))
		}
	}
	walk(parser.Model.Node, "")
	return places, nil
}

func optionsOf(node *kong.Node) (flags []option) {
	known := map[string]config.Documentation{}
	for _, d := range config.Document() {
		known[strings.ReplaceAll(d.Key, "_", "-")] = d
	}
	for _, f := range node.Flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		o := option{name: f.Name, help: f.Help, placeholder: f.FormatPlaceHolder(), switches: f.IsBool(), choices: f.EnumSlice()}
		o.setting = f.Group != nil && f.Group.Key == "settings"
		if f.Short != 0 {
			o.short = string(f.Short)
		}
		d := known[f.Name]
		if len(d.Choices) > 0 {
			o.choices = d.Choices
		}
		o.choices = slices.DeleteFunc(slices.Clone(o.choices), func(word string) bool { return word == "" })
		o.file = d.Path || slices.Contains([]string{"FILE", "DIR"}, o.placeholder)
		flags = append(flags, o)
	}
	return flags
}

// bashCompletion walks over the words that are there to the command, and offers what may follow.
func bashCompletion(out io.Writer, places []place) error {
	var words, offers, values strings.Builder
	for _, at := range places {
		var next []string
		for _, c := range at.commands {
			next = append(next, c.Name)
			fmt.Fprintf(&words, "      %q) path=%q ;;\n", strings.TrimSpace(at.path+" "+c.Name), strings.TrimSpace(at.path+" "+c.Name))
		}
		for _, f := range at.flags {
			next = append(next, "--"+f.name)
			switch {
			case len(f.choices) > 0:
				fmt.Fprintf(&values, "    %q) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", at.path+" --"+f.name, strings.Join(f.choices, " "))
			case f.file:
				fmt.Fprintf(&values, "    %q) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", at.path+" --"+f.name)
			case !f.switches:
				fmt.Fprintf(&values, "    %q) return ;;\n", at.path+" --"+f.name)
			}
		}
		next = append(next, "--help")
		fmt.Fprintf(&offers, "    %q) COMPREPLY=($(compgen -W %q -- \"$cur\")) ;;\n", at.path, strings.Join(next, " "))
	}
	_, err := fmt.Fprintf(out, `# Completion of presence for bash; made by "presence completion bash".
_presence() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${path:+$path }${COMP_WORDS[i]}" in
%s    esac
  done
  case "$path $prev" in
%s  esac
  case "$path" in
%s  esac
}
complete -o default -F _presence presence
`, words.String(), values.String(), offers.String())
	return err
}

// fishCompletion says for each command when it may be written, and what may follow it.
func fishCompletion(out io.Writer, places []place) error {
	fmt.Fprint(out, `# Completion of presence for fish; made by "presence completion fish".
function __presence_at
    set -l path
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a path $word
    end
    test "$path" = "$argv[1]"; and return 0
    test -n "$argv[2]"; and string match -q -- "$argv[1] *" "$path"
end
complete -c presence -f
complete -c presence -l help -d 'Explain the command, with examples'
`)
	for _, at := range places {
		for _, c := range at.commands {
			fmt.Fprintf(out, "complete -c presence -n %s -a %s -d %s\n", fishWord("__presence_at "+fishWord(at.path)), c.Name, fishWord(c.Help))
		}
		for _, f := range at.flags {
			line := fmt.Sprintf("complete -c presence -n %s -l %s -d %s", fishWord("__presence_at "+fishWord(at.path)+" deeper"), f.name, fishWord(firstSentence(f.help)))
			switch {
			case len(f.choices) > 0:
				line += " -x -a " + fishWord(strings.Join(f.choices, " "))
			case f.file:
				line += " -r -F"
			case !f.switches:
				line += " -x"
			}
			fmt.Fprintln(out, line)
		}
	}
	return nil
}

func fishWord(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func firstSentence(s string) string {
	if end := strings.Index(s, ". "); end >= 0 {
		return s[:end]
	}
	return strings.TrimSuffix(s, ".")
}
