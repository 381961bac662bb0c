// triplet_batch_all
