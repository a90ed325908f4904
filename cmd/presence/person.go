package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/offchat/presence/internal/control"
	"github.com/offchat/presence/wire"
)

type userExportCmd struct {
	serverFlags
	Name string `arg:"" help:"Username."`
}

// Help is shown by --help.
func (userExportCmd) Help() string {
	return `For a person who asks what is known about them: account, sessions, activity, history of their status, and what the audit says about them and by them. The hash of their password and what would let somebody in are left out.

Examples:

    presence user export zahra > zahra.json`
}

// Run prints the export.
func (c *userExportCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		text, err := s.Export(ctx, c.Name)
		if err != nil {
			return err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSpace(pretty.Bytes()))
		return err
	})
}

type userEraseCmd struct {
	serverFlags
	Name string `arg:"" help:"Username."`
	Yes  bool   `name:"yes" help:"Do it. Without it, only what would go is told."`
}

// Help is shown by --help.
func (userEraseCmd) Help() string {
	return `Account, sessions, activity and history go for good, and the number is never given again. The audit keeps that something was done, when, by which number to which number: names, addresses and texts are taken out, and the chain still proves the rest. Backups of before keep the person until they are gone (backup_keep).

Examples:

    presence user export zahra > zahra.json
    presence user erase zahra --yes`
}

// Run erases.
func (c *userEraseCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		if !c.Yes {
			text, err := s.Export(ctx, c.Name)
			if err != nil {
				return err
			}
			var who wire.Person
			if err := json.Unmarshal(text, &who); err != nil {
				return err
			}
			return usageError{fmt.Sprintf("this would remove %s (id %s, %s) for good, with %d sessions, %d lines of activity and %d changes of status; add --yes to do it",
				printable(who.Account.Username), who.Account.ID, printable(who.Account.Email), len(who.Sessions), len(who.Activity), len(who.History))}
		}
		did, err := s.Erase(ctx, c.Name)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(p, did)
		}
		_, err = fmt.Fprintf(p.stdout, "%s is erased (id %s, %d lines of the audit emptied). Backups of before still have them.\n",
			printable(c.Name), did.ID, did.AuditLines)
		return err
	})
}

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List what admins did, newest first."`
	Verify auditVerifyCmd `cmd:"" help:"Prove that no line was changed, removed or added."`
}

type auditListCmd struct {
	serverFlags
	Limit int `name:"limit" default:"100" help:"How many lines, 1 to 1000."`
}

// Run lists the audit.
func (c *auditListCmd) Run(p *process) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return usageError{"--limit is from 1 to 1000"}
	}
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		lines, err := s.Audit(ctx, 0, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p, lines)
		}
		out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tAT\tACTOR\tACTION\tTARGET\tREASON")
		for _, l := range lines {
			when, actor := "", "command line"
			if l.At != nil {
				when = l.At.Format(time.RFC3339)
			}
			if token, ok := strings.CutPrefix(l.Actor, "-"); ok {
				actor = "token " + token
			} else if l.Actor != "" {
				actor = "user " + l.Actor
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s %s\t%s\n", l.ID, when, actor, printable(l.Action), l.Target, printable(l.TargetName), printable(l.Reason))
		}
		return out.Flush()
	})
}

type auditVerifyCmd struct {
	serverFlags
	Head string `name:"head" placeholder:"HASH" help:"A hash that an earlier verify printed: it must be in the chain still."`
}

// Help is shown by --help.
func (auditVerifyCmd) Help() string {
	return `Each line carries a hash of what it says and of the line before. The first line that is not as it was written is named. Somebody who can write the whole database could write a whole new chain: keep the head that this prints somewhere else, and compare.

Exits with 1 when the chain is broken.

Examples:

    presence audit verify
    presence audit verify --json`
}

// errAuditBroken: somebody has been at it.
var errAuditBroken = errors.New("the audit is broken")

// Run verifies the audit.
func (c *auditVerifyCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		found, err := s.VerifyAudit(ctx, strings.ToLower(c.Head))
		if err != nil {
			return err
		}
		if c.JSON {
			if err := printJSON(p, found); err != nil {
				return err
			}
		}
		if !found.OK {
			where := "at its end"
			if found.BadID != 0 {
				where = fmt.Sprintf("at line %d", found.BadID)
			}
			return fmt.Errorf("%w %s: %s (%d lines before are good)", errAuditBroken, where, found.Reason, found.Entries)
		}
		if !c.JSON {
			fmt.Fprintf(p.stdout, "The audit is whole: %d lines, %d of them with an erased person. The head is %s.\n", found.Entries, found.Erased, found.Head)
		}
		return nil
	})
}
