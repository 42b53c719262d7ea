package sdkhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

func ExampleClient_Do() {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, "ada@example.com is taken, says the holder of ", r.Header.Get("Authorization"))
			return
		}
		fmt.Fprint(w, `{"id": "7"}`)
	}))
	defer target.Close()
	client := sdkhttp.New(sdkhttp.Options{Authorize: sdkhttp.Bearer("s3cret-token")})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // a verb's context has one
	defer cancel()

	resp, err := client.Do(ctx, sdkhttp.Request{Method: http.MethodGet, URL: target.URL + "/users/7"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var user struct{ ID string }
	if err := resp.Decode(&user); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("found", user.ID)

	_, err = client.Do(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: target.URL + "/users",
		Body:   map[string]string{"mail": "ada@example.com"},
		Values: []string{"ada@example.com"},
	})
	fmt.Println(err)
	fmt.Println(sdk.KindOf(err) == sdk.KindConflict)
	// Output:
	// found 7
	// conflict: the target answered 409 Conflict: … is taken, says the holder of Bearer ***
	// true
}
