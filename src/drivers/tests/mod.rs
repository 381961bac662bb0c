//! Tests of the kernels of all losses and operations. What a driver does is a function of the call: only `loops` needs
//! a device, to count on.

mod asked;
mod calls;
mod compilers;
mod declarations;
mod hooks;
mod interface;
mod kernels;
mod loops;
mod ops;
mod sharing;
mod structs;
mod validity;
mod words;
