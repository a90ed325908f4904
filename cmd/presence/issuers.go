package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/config"
)

// issuers are those of the configuration, as auth takes them.
func issuers(cfg *config.Config) []auth.Issuer {
	var list []auth.Issuer
	for _, one := range cfg.Issuers {
		list = append(list, auth.Issuer{
			Name: one.Name, Issuer: one.Issuer, Audience: one.Audience, Algorithms: one.Algorithms, Secret: []byte(one.Secret), JWKS: one.JWKS,
			User: one.User, By: one.UserIs, Roles: one.Roles, Admins: one.AdminRoles, Provision: one.Provision,
			Username: one.UsernameClaim, Email: one.EmailClaim, Skew: one.Skew,
		})
	}
	return list
}

// newKeyFetcher gets the keys of issuers. It follows no redirect: the address is the operator's word on where keys come from.
func newKeyFetcher() func(ctx context.Context, url string) ([]byte, error) {
	client := &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 5 * time.Second,
			MaxIdleConns: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the key set is elsewhere: configure that address")
		},
		Timeout: 5 * time.Second,
	}
	return func(ctx context.Context, url string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the key set is answered with %s", resp.Status)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, auth.MaxJWKS+1))
		if err == nil && len(text) > auth.MaxJWKS {
			err = errors.New("the key set is too large")
		}
		return text, err
	}
}
