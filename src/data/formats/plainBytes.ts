/**
 * The same memory as a plain `Uint8Array`. Node's `Buffer` is a subclass whose `slice` does not copy, so that data cut from one
 * would not behave as the type it claims to be.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
