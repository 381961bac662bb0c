// triplet_batch_hard
