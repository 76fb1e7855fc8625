// A handler module that fails while it is loaded.
const table = process.env.ORDERS_TABLE.toLowerCase();

export const handler = async () => table;
