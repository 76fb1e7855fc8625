// A handler module that needs a package which was not deployed.
import 'pg';

export const handler = async () => 'ok';
