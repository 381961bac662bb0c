//! Tests of the kernels of all losses. They need no device: what a driver does is a function of the call.

mod calls;
mod declarations;
mod hooks;
mod interface;
mod kernels;
mod sharing;
mod structs;
mod validity;
mod words;
