// Adds the items that are out of range by what other steps have seen to those that the loss of items has found.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn tell(thread: Thread) {
    if (thread.lane == 0u && judged[0] > 0u) {
        let is_first = workspace.invalid_low == 0u && workspace.invalid_high == 0u;
        let low = workspace.invalid_low + judged[0];
        workspace.invalid_high += select(0u, 1u, low < judged[0]);
        workspace.invalid_low = low;
        if (is_first || judged[1] < workspace.invalid_item) {
            workspace.invalid_partial = 0u;
            workspace.invalid_item = judged[1];
        }
    }
}
