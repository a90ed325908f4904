package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// HTTP is the front door of a server: the same requests that existing clients send.
type HTTP struct {
	// URL is the server's, without a slash at the end.
	URL    string
	Client *http.Client
}

const maxAnswer = 64 << 10

// SignIn implements Door.
func (h HTTP) SignIn(ctx context.Context, name, password string) (token, id string, err error) {
	var answer struct {
		Tokens struct {
			Access string `json:"access"`
		} `json:"tokens"`
		User struct {
			ID json.Number `json:"id"`
		} `json:"user"`
	}
	if err := h.ask(ctx, "/api/auth/login/", "", map[string]string{"username": name, "password": password}, &answer); err != nil {
		return "", "", err
	}
	token, id = answer.Tokens.Access, answer.User.ID.String()
	if token == "" || id == "" {
		return "", "", errors.New("sign in: the answer has no token or no id")
	}
	return token, id, nil
}

// Beat implements Door.
func (h HTTP) Beat(ctx context.Context, token string) error {
	return h.ask(ctx, "/api/users/heartbeat/", token, struct{}{}, nil)
}

// Look implements Door.
func (h HTTP) Look(ctx context.Context, token, id string) (Seen, error) {
	var answer struct {
		Items []struct {
			Status string     `json:"status"`
			Since  *time.Time `json:"since"`
		} `json:"items"`
	}
	if err := h.ask(ctx, "/api/v1/presence/query", token, map[string][]string{"ids": {id}}, &answer); err != nil {
		return Seen{}, err
	}
	if len(answer.Items) != 1 {
		return Seen{}, fmt.Errorf("query: %d answers to one question", len(answer.Items))
	}
	seen := Seen{Status: answer.Items[0].Status}
	if since := answer.Items[0].Since; since != nil {
		seen.Since = *since
	}
	return seen, nil
}

func (h HTTP) ask(ctx context.Context, path, token string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := h.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusUnauthorized && token != "":
		return fmt.Errorf("%s: %w", path, ErrSignedOut)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", path, resp.Status)
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}
