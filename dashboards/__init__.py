"""The Grafana dashboards as code: `make dashboards` writes what stands in grafana/*.json."""
