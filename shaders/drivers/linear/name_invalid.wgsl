// The first row out of range by its own number: workgroups know its place among the rows that count.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn name_invalid(thread: Thread) {
    if (thread.lane == 0u && workspace.invalid_low + workspace.invalid_high != 0u) {
        let panel = workspace.invalid_partial / call.partials_of_panel;
        workspace.invalid_item = order[panel * call.panel_rows + workspace.invalid_item];
        workspace.invalid_partial = 0u;
    }
}
