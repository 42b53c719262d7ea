// Command fake runs the stand-in for Acme, with the token "fake-token".
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/anteroom-id/anteroom/sdk/examples/acme/fake"
)

func main() {
	address := "127.0.0.1:9911"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("fake Acme on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, fake.New("fake-token")))
}
