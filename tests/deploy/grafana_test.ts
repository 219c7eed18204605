import assert from "node:assert/strict";
import { parse } from "yaml";
import { BUILT_IN_METRICS } from "../../lib/catalogue.ts";

const ROOT = new URL("../../", import.meta.url);
const GRAFANA = new URL("deploy/grafana/", ROOT);

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly datasource: { readonly uid: string };
  readonly fieldConfig: { readonly defaults: { readonly displayName: string } };
  readonly targets: readonly {
    readonly datasource: { uid: string };
    readonly query: string;
  }[];
}

const source = parse(
  await Deno.readTextFile(
    new URL("provisioning/datasources/influxdb.yml", GRAFANA),
  ),
);
const dashboard = JSON.parse(
  await Deno.readTextFile(new URL("dashboards/telemetry.json", GRAFANA)),
) as { readonly panels: readonly Panel[] };
const compose = parse(
  await Deno.readTextFile(new URL("docker-compose.yml", ROOT)),
);

Deno.test("Grafana's source asks InfluxDB in Flux, with values that compose hands over", () => {
  const [{ jsonData, ...rest }] = source.datasources;
  assert.equal(jsonData.version, "Flux");
  const used = JSON.stringify([jsonData, rest]).matchAll(/\$\{(\w+)\}/g);
  const names = [...used].map(([, name]) => name!);
  assert.deepEqual(names.toSorted(), [
    "INFLUXDB_BUCKET",
    "INFLUXDB_ORG",
    "INFLUXDB_TOKEN",
    "INFLUXDB_URL",
  ]);
  for (const name of names) {
    assert.equal(
      typeof compose.services.grafana.environment[name],
      "string",
      name,
    );
  }
});

Deno.test("Grafana finds the dashboards where compose mounts them", async () => {
  const { providers } = parse(
    await Deno.readTextFile(
      new URL("provisioning/dashboards/telemetry.yml", GRAFANA),
    ),
  );
  const mounts: string[] = compose.services.grafana.volumes;
  assert(
    mounts.includes(
      `./deploy/grafana/dashboards:${providers[0].options.path}:ro`,
    ),
  );
  assert(
    mounts.includes(
      "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro",
    ),
  );
});

Deno.test("The dashboard shows every built-in measurement, and no other, from the one source", () => {
  const shown = new Set<string>();
  for (const { title, datasource, targets } of dashboard.panels) {
    assert.equal(datasource.uid, source.datasources[0].uid, title);
    for (const { datasource, query } of targets) {
      assert.equal(datasource.uid, source.datasources[0].uid, title);
      assert.match(query, /^from\(bucket: v\.defaultBucket\)/, title);
      for (const [, name] of query.matchAll(/r\._measurement == "(\w+)"/g)) {
        shown.add(name!);
      }
    }
  }
  assert.deepEqual(
    shown,
    new Set(BUILT_IN_METRICS.map(({ measurement }) => measurement)),
  );
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});

Deno.test("The dashboard keeps boards apart, and names one only where it has a name", () => {
  for (const { title, fieldConfig, targets } of dashboard.panels) {
    assert.equal(
      fieldConfig.defaults.displayName,
      "${__field.labels.series}",
      title,
    );
    for (const { query } of targets) {
      const [, named, alone] = query.match(
        /\|> map\(fn: \(r\) => \(\{r with series: if exists r\.board then r\.board \+ " " \+ r\.(\w+) else r\.(\w+)\}\)\)\n/,
      ) ?? assert.fail(title);
      assert.equal(named, alone, title);
      assert.match(
        query,
        /\n {2}\|> group\(columns: \["series"\]\)\n {2}\|> keep\(columns: \["_time", "_value", "series"\]\)$/,
        title,
      );
    }
  }
});
