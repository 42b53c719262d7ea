package sql_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/sql"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, sql.Connector()) }

func TestConformance(t *testing.T) {
	cfg := newDatabase(t).config
	sdktest.Run(t, sdktest.Options{Connector: sql.Connector(), Config: map[string]any{
		"address": cfg.Address, "database": cfg.Database, "username": cfg.Username, "tls": cfg.TLS, "password": "canary-of-the-database",
		"lookup": cfg.Lookup, "get": cfg.Get, "create": cfg.Create, "update": cfg.Update, "set_active": cfg.SetActive,
		"delete": cfg.Delete, "list": cfg.List, "groups": cfg.Groups, "group_add": cfg.GroupAdd, "group_remove": cfg.GroupRemove,
	}, Groups: []string{"staff", "ops"}})
}
