package outbound

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxDocument bounds a document that is fetched, in bytes.
const maxDocument = 256 << 10

// Fetch returns the JSON document at the address. Anything but a short answer 200 is an
// error whose text may be shown to whoever named the address.
func Fetch(ctx context.Context, client *http.Client, uri string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %d", res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("there are more than %d bytes", maxDocument)
	}
	return raw, nil
}
