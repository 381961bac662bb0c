//! Tests of the kernels of all losses. They need no device: what a driver does is a function of the call.

mod calls;
mod kernels;
mod validity;
