package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/offchat/presence/internal/config"
)

// manCmd makes the manual page from the code, so that it is never behind it.
type manCmd struct{}

// Run prints the manual page in the language of man(7).
func (manCmd) Run(p *process) error {
	places, err := grammar(p)
	if err != nil {
		return err
	}
	return manual(p.stdout, places, build().Version)
}

func manual(out io.Writer, places []place, version string) error {
	w := &roff{out: out}
	w.line(".TH PRESENCE 1 \"\" \"presence " + version + "\" \"OffChat Presence\"")
	w.line(".SH NAME")
	w.text("presence \\- knows who is online, away or offline, since when and why")
	w.line(".SH SYNOPSIS")
	w.line(".B presence")
	w.line(".I COMMAND")
	w.line("[flags]")
	w.line(".SH DESCRIPTION")
	w.text(roffEscape(description))
	w.line(".SH COMMANDS")
	for _, at := range places[1:] {
		if len(at.commands) > 0 && at.detail == "" {
			continue
		}
		w.line(".SS \"presence " + at.path + at.args + "\"")
		w.text(roffEscape(at.help))
		w.text(roffEscape(at.detail))
		for _, f := range at.flags {
			if f.setting {
				continue
			}
			w.line(".TP")
			name := "\\fB\\-\\-" + roffEscape(f.name) + "\\fR"
			switch {
			case len(f.choices) > 0:
				name += " \\fI" + roffEscape(strings.Join(f.choices, "|")) + "\\fR"
			case !f.switches:
				name += " \\fI" + roffEscape(f.placeholder) + "\\fR"
			}
			w.line(name)
			w.line(roffEscape(f.help))
		}
	}
	w.line(".SH SETTINGS")
	w.text(roffEscape("Every setting is a flag of serve and config (--offline-after), a variable (PRESENCE_OFFLINE_AFTER) and a key of the TOML file (offline_after). " +
		"Flags beat variables, variables beat the file. Secrets may be read from a file: --signing-key-file, PRESENCE_SIGNING_KEY_FILE, signing_key_file."))
	for _, d := range config.Document() {
		w.line(".TP")
		w.line("\\fB" + roffEscape(d.Key) + "\\fR (" + roffEscape(factsOf(d)) + ")")
		w.line(roffEscape(d.Help))
	}
	w.line(".SH SIGNALS")
	w.text(roffEscape("SIGTERM, SIGINT: answer what is under way, write down what is behind, end. SIGHUP: read the configuration again; the log says what changed and what needs a restart."))
	w.line(".SH EXIT STATUS")
	w.text("0 done; 1 it failed, was refused, or the configuration is wrong; 2 the command line is wrong; 3 the server does not answer; 4 another server uses the data directory.")
	return w.err
}

// factsOf are a setting's kind, default, bounds and when it takes effect, in one line.
func factsOf(d config.Documentation) string {
	facts := []string{d.Kind}
	if d.Default != "" {
		facts = append(facts, "default "+d.Default)
	}
	if d.Bounds != "" {
		facts = append(facts, d.Bounds)
	}
	if len(d.Choices) > 0 {
		facts = append(facts, "one of "+strings.Join(d.Choices, ", "))
	}
	if d.Reload {
		facts = append(facts, "SIGHUP applies it")
	}
	return strings.Join(facts, "; ")
}

// settingsDocCmd makes docs/settings.md, likewise.
type settingsDocCmd struct{}

// Run prints docs/settings.md.
func (settingsDocCmd) Run(p *process) error { return settingsPage(p.stdout) }

func settingsPage(out io.Writer) error {
	fmt.Fprint(out, `# Settings

Every setting is a flag of `+"`presence serve`"+` (`+"`--offline-after 90s`"+`), a variable (`+"`PRESENCE_OFFLINE_AFTER=90s`"+`) and a key of the TOML file
(`+"`offline_after = \"90s\"`"+`). Flags beat variables, variables beat the file, the file beats the defaults. An unknown key is an error that names the nearest.
Secrets may be read from a file instead: `+"`PRESENCE_SIGNING_KEY_FILE`"+`, `+"`signing_key_file`"+`. Durations: 90s, 5m, 12h, 7d.

`+"`presence config show`"+` prints what is in force and where it comes from; `+"`presence config check`"+` tells everything that is wrong. SIGHUP (`+"`systemctl reload presence`"+`)
applies those marked *live* to a running server; the log names what else has changed and needs a restart.

This page is made from the code: `+"`presence config document`"+`.

| key | kind | default | bounds | live | what it does |
|---|---|---|---|---|---|
`)
	for _, d := range config.Document() {
		bounds, live := d.Bounds, ""
		if len(d.Choices) > 0 {
			bounds = strings.Join(d.Choices, ", ")
		}
		if d.Reload {
			live = "yes"
		}
		if _, err := fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s | %s |\n", d.Key, d.Kind, d.Default, bounds, live, d.Help); err != nil {
			return err
		}
	}
	return nil
}

// roff writes lines of man(7) until one fails.
type roff struct {
	out io.Writer
	err error
}

func (w *roff) line(s string) {
	if w.err == nil {
		_, w.err = fmt.Fprintln(w.out, s)
	}
}

// text writes paragraphs; what is indented stays as it is.
func (w *roff) text(s string) {
	for paragraph := range strings.SplitSeq(s, "\n\n") {
		if paragraph = strings.Trim(paragraph, "\n"); paragraph == "" {
			continue
		}
		w.line(".PP")
		if strings.HasPrefix(paragraph, "    ") {
			w.line(".nf")
			w.line(paragraph)
			w.line(".fi")
			continue
		}
		w.line(paragraph)
	}
}

// roffEscape makes text that means nothing to man: backslashes, and dots and quotes at the beginning of lines.
func roffEscape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
