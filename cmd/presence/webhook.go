package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/offchat/presence/internal/control"
	"github.com/offchat/presence/wire"
)

type webhookCmd struct {
	Create     webhookCreateCmd     `cmd:"" help:"Make a webhook and print its secret."`
	List       webhookListCmd       `cmd:"" help:"List webhooks, and how sending to them goes."`
	Test       webhookTestCmd       `cmd:"" help:"Send a test now."`
	Deliveries webhookDeliveriesCmd `cmd:"" help:"List what was sent, newest first."`
	Retry      webhookRetryCmd      `cmd:"" help:"Send a delivery again now."`
	Pause      webhookPauseCmd      `cmd:"" help:"Send nothing to a webhook, and keep nothing for it."`
	Resume     webhookResumeCmd     `cmd:"" help:"Bring a webhook back that is paused, gone or failing."`
	Delete     webhookDeleteCmd     `cmd:"" help:"Remove a webhook with its queue and its deliveries."`
}

// Help is shown by --help.
func (webhookCmd) Help() string {
	return `Webhooks tell another server what happens, in signed deliveries. These commands work on a running server and on a stopped one, and find it by its data directory.

Examples:

    presence webhook create https://example.org/presence --event user.offline --event 'account.*'
    presence webhook list
    presence webhook test 1
    presence webhook deliveries 1 --state failed
    presence webhook retry 1 1207`
}

type webhookCreateCmd struct {
	serverFlags
	URL         string   `arg:"" help:"Where deliveries go: an https address."`
	Event       []string `name:"event" placeholder:"NAME" help:"What it is told of: user.offline, user.*, session.*, account.*, *. May be given several times. Default: user.*"`
	Cause       []string `name:"cause" placeholder:"CAUSE" help:"Tell of somebody's status for this cause only (timeout, logout, ...). May be given several times."`
	User        []string `name:"user" placeholder:"ID" help:"Only what is about this user. May be given several times."`
	Batch       int      `name:"batch" default:"100" help:"How many events one delivery carries at most, 1 to 1000."`
	Description string   `name:"description" help:"What it is for."`
}

// Run makes it.
func (c *webhookCreateCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		made, err := s.CreateWebhook(ctx, wire.NewWebhook{
			URL: c.URL, Description: c.Description, Events: c.Event, Causes: c.Cause, Users: c.User, BatchSize: c.Batch,
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p, made)
		}
		_, err = fmt.Fprintf(p.stdout, "Made webhook %s. Its secret is shown this once:\n\n    %s\n\nTry it: presence webhook test %[1]s\n", made.ID, made.Secret)
		return err
	})
}

type webhookListCmd struct{ serverFlags }

// Run prints the list.
func (c *webhookListCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		list, err := s.Webhooks(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p, list.Items)
		}
		out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tSTATE\tQUEUED\tFAILURES\tLAST SUCCESS\tEVENTS\tURL")
		for _, w := range list.Items {
			fmt.Fprintf(out, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", w.ID, w.State, w.Queued, w.Failures, when(w.LastSuccessAt),
				strings.Join(w.Events, ","), printable(w.URL))
		}
		return out.Flush()
	})
}

type webhookTestCmd struct {
	serverFlags
	ID string `arg:"" help:"The id of the webhook."`
}

// Run sends it. A test that does not arrive is a failure.
func (c *webhookTestCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		d, err := s.TestWebhook(ctx, c.ID)
		return c.showAttempt(p, d, err)
	})
}

type webhookRetryCmd struct {
	serverFlags
	ID       string `arg:"" help:"The id of the webhook."`
	Delivery string `arg:"" help:"The id of the delivery."`
}

// Run sends it. One that does not arrive is a failure.
func (c *webhookRetryCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		d, err := s.RetryWebhookDelivery(ctx, c.ID, c.Delivery)
		return c.showAttempt(p, d, err)
	})
}

func (f *serverFlags) showAttempt(p *process, d wire.WebhookDeliveryDetail, err error) error {
	if err != nil {
		return err
	}
	if f.JSON {
		if err := printJSON(p, d); err != nil {
			return err
		}
	}
	if d.Error != "" {
		return fmt.Errorf("not delivered: %s", printable(d.Error))
	}
	if !f.JSON {
		_, err = fmt.Fprintf(p.stdout, "Delivered: the receiver answered %d after %.0f ms.\n", d.HTTPStatus, d.DurationMS)
	}
	return err
}

type webhookDeliveriesCmd struct {
	serverFlags
	ID    string `arg:"" help:"The id of the webhook."`
	State string `name:"state" enum:",pending,succeeded,failed" default:"" help:"Only those that are pending, succeeded or failed."`
	Limit int    `name:"limit" default:"50" help:"How many at most, 1 to 1000."`
}

// Run prints the list.
func (c *webhookDeliveriesCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		page, err := s.WebhookDeliveries(ctx, c.ID, c.State, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p, page.Items)
		}
		out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tMADE\tSTATE\tEVENTS\tATTEMPTS\tSTATUS\tERROR")
		for _, d := range page.Items {
			fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", d.ID, when(&d.CreatedAt), d.State, d.Events, d.Attempts, d.HTTPStatus, printable(d.Error))
		}
		return out.Flush()
	})
}

type webhookPauseCmd struct {
	serverFlags
	ID string `arg:"" help:"The id of the webhook."`
}

// Run pauses it.
func (c *webhookPauseCmd) Run(p *process) error { return c.setWebhook(p, c.ID, "paused", "is paused") }

type webhookResumeCmd struct {
	serverFlags
	ID string `arg:"" help:"The id of the webhook."`
}

// Run brings it back.
func (c *webhookResumeCmd) Run(p *process) error {
	return c.setWebhook(p, c.ID, "active", "is active; it is told of a gap first")
}

func (f *serverFlags) setWebhook(p *process, id, state, done string) error {
	return f.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		hook, err := s.UpdateWebhook(ctx, id, wire.WebhookPatch{State: &state})
		if err != nil {
			return err
		}
		if f.JSON {
			return printJSON(p, hook)
		}
		_, err = fmt.Fprintf(p.stdout, "Webhook %s %s.\n", hook.ID, done)
		return err
	})
}

type webhookDeleteCmd struct {
	serverFlags
	ID string `arg:"" help:"The id of the webhook."`
}

// Run removes it.
func (c *webhookDeleteCmd) Run(p *process) error {
	return c.withServer(p, false, func(ctx context.Context, s *control.Client) error {
		if err := s.DeleteWebhook(ctx, c.ID); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p, struct{}{})
		}
		_, err := fmt.Fprintf(p.stdout, "Webhook %s is gone.\n", c.ID)
		return err
	})
}
