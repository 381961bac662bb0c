//! `wgloss adapters`: what the machine has to run kernels on.

use serde_json::{Value as Json, json};
use wgloss::{Adapter, RowKernel, Tuning};

use crate::{error::CliError, output, select};

/// Lists the adapters.
pub fn run(as_json: bool) -> Result<(), CliError> {
    let adapters: Vec<_> = Adapter::all_blocking().into_iter().map(Found::new).collect();
    if as_json {
        return output::print_json(&json!({ "adapters": adapters.iter().map(describe).collect::<Vec<_>>() }));
    }
    if adapters.is_empty() {
        output::notice("no adapter was found; `--adapter cpu` evaluates the reference");
        return Ok(());
    }
    let blocks: Vec<String> = adapters.iter().map(block).collect();
    output::print(blocks.join("\n\n"))
}

/// An adapter with the tuning that the commands use there.
struct Found {
    adapter: Adapter,
    tuning: Tuning,
    /// The day on which it was measured; `None` for the table's.
    measured: Option<String>,
}

impl Found {
    fn new(adapter: Adapter) -> Self {
        let (tuning, measured) = match select::saved_tuning(&adapter) {
            Some(saved) => (saved.tuning, Some(saved.date)),
            None => (adapter.tuning(), None),
        };
        Found { adapter, tuning, measured }
    }
}

fn describe(Found { adapter, tuning, measured }: &Found) -> Json {
    let (info, limits) = (adapter.info(), adapter.limits());
    json!({
        "id": adapter.id(),
        "name": info.name,
        "backend": info.backend.to_str(),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "kind": adapter.kind(),
        "subgroup_sizes": subgroup_sizes(adapter),
        "f16": has_f16(adapter),
        "limits": {
            "max_storage_buffer_binding_size": limits.max_storage_buffer_binding_size,
            "max_buffer_size": limits.max_buffer_size,
            "max_compute_invocations_per_workgroup": limits.max_compute_invocations_per_workgroup,
            "max_compute_workgroups_per_dimension": limits.max_compute_workgroups_per_dimension,
            "max_storage_buffers_per_shader_stage": limits.max_storage_buffers_per_shader_stage,
        },
        "tuning": {
            "workgroup_size": tuning.workgroup_size,
            "workgroups": tuning.workgroups,
            "reduce": tuning.reduce.to_string(),
            "max_loop_iterations": tuning.max_loop_iterations,
            "rows": tuning.rows.to_string(),
            "lane_classes": tuning.lane_classes,
            "few_rows": tuning.few_rows,
            "cached_classes": tuning.cached_classes,
            "least_lanes": tuning.least_lanes,
            "source": if measured.is_some() { "measured" } else { "table" },
            "measured": measured,
        },
    })
}

fn block(Found { adapter, tuning, measured }: &Found) -> String {
    let (info, limits) = (adapter.info(), adapter.limits());
    let sizes = match subgroup_sizes(adapter) {
        None => "no subgroups".to_string(),
        Some([min, max]) if min == max => min.to_string(),
        Some([min, max]) => format!("{min} to {max}"),
    };
    let tuned = match measured {
        None => "the table; `wgloss tune` measures what is faster".to_string(),
        Some(date) => format!("measuring on {date}"),
    };
    let rows = [
        ("driver", format!("{} {}", info.driver, info.driver_info)),
        ("kind", adapter.kind().to_string()),
        ("subgroup sizes", sizes),
        ("f16 arithmetic", if has_f16(adapter) { "yes" } else { "no" }.to_string()),
        ("largest binding", bytes(limits.max_storage_buffer_binding_size)),
        ("largest buffer", bytes(limits.max_buffer_size)),
        ("invocations per workgroup", limits.max_compute_invocations_per_workgroup.to_string()),
        ("workgroups per dimension", limits.max_compute_workgroups_per_dimension.to_string()),
        ("storage buffers per stage", limits.max_storage_buffers_per_shader_stage.to_string()),
        (
            "tuning",
            format!("{} workgroups of {} lanes, {} reduction", tuning.workgroups, tuning.workgroup_size, tuning.reduce),
        ),
        ("rows of classes", rows(*tuning)),
        ("tuning from", tuned),
    ];
    format!("{}\n{}", adapter.id(), output::properties(rows))
}

/// How rows of classes are shared out.
fn rows(tuning: Tuning) -> String {
    let Tuning { lane_classes, few_rows, cached_classes, .. } = tuning;
    let shared = match tuning.rows {
        RowKernel::BySize => format!(
            "a lane each up to {lane_classes} classes; several workgroups each where there are at most {few_rows} and \
             they are long; else a workgroup each"
        ),
        kernel => kernel.to_string(),
    };
    match cached_classes {
        0 => shared,
        _ => format!("{shared}, read once up to {cached_classes} classes"),
    }
}

/// The smallest and the largest subgroup, where the adapter has subgroup operations.
fn subgroup_sizes(adapter: &Adapter) -> Option<[u32; 2]> {
    let has_subgroups = adapter.features().contains(wgpu::Features::SUBGROUP);
    has_subgroups.then_some([adapter.info().subgroup_min_size, adapter.info().subgroup_max_size])
}

fn has_f16(adapter: &Adapter) -> bool {
    adapter.features().contains(wgpu::Features::SHADER_F16)
}

fn bytes(count: u64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    if count < MEBIBYTE { format!("{count} bytes") } else { format!("{} MiB", count / MEBIBYTE) }
}
