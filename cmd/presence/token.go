package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make an API token for a backend; it is shown once."`
	List   tokenListCmd   `cmd:"" help:"List API tokens: what each may do, and when it was used last."`
	Revoke tokenRevokeCmd `cmd:"" help:"End an API token, at once and for good."`
}

// Help is shown by --help.
func (tokenCmd) Help() string {
	return `With an API token a backend talks to the server: it tells that people are active, asks who is online, listens, logs people out. Each token may do what its scopes say:

    touch        tell that people are active
    read         presence, counts and events, as anybody may see them
    tickets      let people into the live feed
    logout       end people's sessions
    admin:read   everything that admins may see: hidden presence, details, history, audit

These commands work on a running server and on a stopped one, like "presence user".

Examples:

    presence token create mobile-api --scope touch,read
    presence token create night-job --scope read --expires 90d --json
    presence token list
    presence token revoke 3`
}

type tokenCreateCmd struct {
	serverFlags
	Name    string `arg:"" help:"What the token is for."`
	Scope   string `name:"scope" required:"" placeholder:"WORDS" help:"What it may do: touch, read, tickets, logout, admin:read; comma-separated."`
	Expires string `name:"expires" placeholder:"DURATION" help:"How long it is good, such as 12h or 90d. Default: until it is revoked."`
}

// Run makes the token. On standard output is the token and nothing else, so that it can be piped into a file.
func (c *tokenCreateCmd) Run(p *process) error {
	wanted := control.NewToken{Name: c.Name, Scopes: c.Scope}
	if c.Expires != "" {
		var err error
		if wanted.Expires, err = config.ParseDuration(c.Expires); err != nil || wanted.Expires < time.Minute {
			return fmt.Errorf("--expires: %q is no duration of a minute or more, such as 12h or 90d", c.Expires)
		}
	}
	return c.withServer(p, true, func(ctx context.Context, s *control.Client) error {
		made, err := s.CreateToken(ctx, wanted)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(p, made)
		}
		fmt.Fprintf(p.stderr, "Made the token %s (id %d; %s). It is shown this once:\n", printable(made.Name), made.ID, strings.Join(made.Scopes, ", "))
		_, err = fmt.Fprintln(p.stdout, made.Secret)
		return err
	})
}

type tokenListCmd struct{ serverFlags }

// Run prints the list.
func (c *tokenListCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		tokens, err := s.Tokens(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(p, tokens)
		}
		out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tNAME\tSCOPES\tTOKEN\tSTATUS\tEXPIRES\tLAST USED")
		for _, t := range tokens {
			fmt.Fprintf(out, "%d\t%s\t%s\t%s...\t%s\t%s\t%s\n", t.ID, printable(t.Name), strings.Join(t.Scopes, ","), t.Hint, t.Status,
				when(t.ExpiresAt), when(t.LastUsedAt))
		}
		return out.Flush()
	})
}

// when is a moment for people; nil is never.
func when(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

type tokenRevokeCmd struct {
	serverFlags
	ID int64 `arg:"" help:"The token's id; token list shows it."`
}

// Run revokes the token.
func (c *tokenRevokeCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		if err := s.RevokeToken(ctx, presence.APITokenID(c.ID)); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p, map[string]any{"id": c.ID, "status": "revoked"})
		}
		_, err := fmt.Fprintf(p.stdout, "Token %d is refused from now on.\n", c.ID)
		return err
	})
}
