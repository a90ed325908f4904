// Command go-backend is an app of forty lines whose users are online while they use it, and that writes down who comes
// and goes.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/offchat/presence/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	presence, err := client.New(os.Getenv("PRESENCE_URL"), client.WithAPIKey(os.Getenv("PRESENCE_API_KEY")), client.WithSource("go-backend"))
	if err != nil {
		log.Fatal(err)
	}
	defer presence.Close()

	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello\n")) })
	who := func(r *http.Request) string { return r.Header.Get("X-User") } // however your app knows its users
	server := &http.Server{Addr: os.Getenv("LISTEN"), Handler: presence.Middleware(who)(app)}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { log.Print(server.ListenAndServe()) }()

	for event, err := range presence.Events(ctx) {
		if err != nil {
			log.Print(err) // the token was refused: the app goes on without
			<-ctx.Done()
			break
		}
		if event.Kind == client.Change {
			log.Printf("user %s is %s", event.User, event.Status)
		}
	}
}
